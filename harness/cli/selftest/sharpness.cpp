#include "cli/selftest/sharpness.h"

#include "core/dtype_dispatch.h"
#include "engine/stage_judge.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace deformdiff::cli {
namespace {

/// Every element times 1 + error, rounded once.
template <typename T>
Outcome scaled(const Outcome& outcome, double error) {
  Outcome result = outcome;
  for (NamedTensor& output : result.outputs) {
    if (output.tensor.dtype() != kDTypeOf<T>) continue;
    const auto values = output.tensor.values<T>();
    std::vector<T> changed(values.size());
    std::ranges::transform(values, changed.begin(),
                           [error](T value) { return static_cast<T>(value * (1 + error)); });
    output.tensor = Tensor::of<T>(kDTypeOf<T>, output.tensor.shape(), changed);
  }
  return result;
}

/// The largest k for which an error of 10^-k is caught, and all larger ones.
int smallest_caught(const Subject& subject, const BlockEntry& entry, const Case& c, const Outcome& outcome,
                    const StageOptions& options) {
  const DType dtype = entry.block->compute_dtype(c);
  int caught = -1;
  while (true) {
    const double error = std::pow(10.0, -(caught + 1));
    if (error < float_format(dtype).unit_roundoff) return caught;
    const Outcome wrong =
        with_floating(dtype, [&]<typename T>(T /*of*/) { return scaled<T>(outcome, error); });
    if (!is_finding(judge_stages(entry, c, wrong, subject.info, options).comparison.verdict)) return caught;
    ++caught;
  }
}

}  // namespace

std::vector<Sharpness> measure_sharpness(Subject& subject, const BlockEntry& entry, std::uint64_t seed,
                                         std::int64_t cases, int threads, std::int64_t memory_limit) {
  std::map<std::pair<std::string, DType>, std::vector<int>> caught;
  for (std::uint64_t index = 0; index < static_cast<std::uint64_t>(cases); ++index) {
    const Case c = entry.generator->generate({.seed = seed}, index);
    const DType dtype = entry.block->compute_dtype(c);
    if (dtype != DType::kFloat32 && dtype != DType::kFloat64) continue;
    if (admit(subject.info, *entry.block, c, memory_limit).kind != Outcome::Kind::kReturned) continue;
    subject.runner->start({&c, 1}, {});
    const SharedReferences shared =
        shared_references(entry, c, subject.info.precision, subject.info.contract, threads);
    const StageOptions options{.threads = threads, .shared = &shared};
    const Outcome outcome = std::move(subject.runner->finish().front());
    // What agrees vacuously, or has no elements, could show no error of any size.
    if (judge_stages(entry, c, outcome, subject.info, options).comparison.verdict != Verdict::kAgree)
      continue;
    caught[{c.provenance.tier, dtype}].push_back(smallest_caught(subject, entry, c, outcome, options));
  }
  std::vector<Sharpness> rows;
  for (auto& [key, exponents] : caught) {
    std::ranges::sort(exponents);
    const auto error_of = [](int exponent) { return exponent < 0 ? 10.0 : std::pow(10.0, -exponent); };
    rows.push_back({key.first, key.second, std::ssize(exponents), error_of(exponents.front()),
                    error_of(exponents[exponents.size() / 2])});
  }
  return rows;
}

}  // namespace deformdiff::cli
