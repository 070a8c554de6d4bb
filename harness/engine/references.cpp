#include "engine/references.h"

#include "core/dtype_dispatch.h"
#include "core/sixteen_bits.h"
#include "engine/parallel.h"

#include <algorithm>
#include <cmath>

namespace deformdiff {
namespace {

/// Its square and its product with any extent are far below the largest float32, 3e38.
constexpr double kTame = 1e15;

/// Elements of inputs from which on a case gets all threads for itself.
constexpr std::int64_t kLarge = std::int64_t{1} << 17;

template <typename T>
bool all_tame(const Tensor& tensor) {
  const auto* begin = tensor.storage_as<T>();
  const auto count = tensor.storage().size() / sizeof(T);
  bool tame = true;
  for (std::size_t i = 0; i < count; ++i) tame &= std::abs(begin[i]) <= static_cast<T>(kTame);
  return tame;
}

}  // namespace

bool is_tame(const Case& c) {
  return std::all_of(c.inputs.begin(), c.inputs.end(), [](const NamedTensor& input) {
    const DType dtype = input.tensor.dtype();
    // The largest float16 is near what ordinary sums and products come to.
    if (is_sixteen_bits(dtype)) return false;
    if (!is_floating(dtype)) return true;
    return with_floating(dtype, [&]<typename T>(T /*of*/) { return all_tame<T>(input.tensor); });
  });
}

ReferenceKey reference_key(const SubjectInfo& info, bool tame) {
  ReferenceKey key{info.precision, info.contract};
  key.contract.deterministic = Deterministic::kUnknown;
  key.contract.deterministic_outputs.clear();
  key.contract.im2col_step = Im2colStep::kAny;
  if (tame) {
    key.contract.nonfinite_location = NonfiniteLocation::kAny;
    key.contract.nonfinite_weight_outside = NonfiniteWeightOutside::kAny;
    key.contract.nonfinite_value_at_zero_weight = NonfiniteValueAtZeroWeight::kAny;
  }
  return key;
}

References::References(const BlockEntry& entry, std::span<const Case> cases) : entry_(entry), cases_(cases) {
  for (const Case& c : cases) tame_.push_back(is_tame(c));
}

References::Key References::key(std::size_t position, const SubjectInfo& info) const {
  return {position, reference_key(info, tame_[position])};
}

void References::need(std::size_t position, const SubjectInfo& info) {
  if (info.bound == Bound::kNone) return;
  references_[key(position, info)];
}

void References::evaluate(int threads) {
  const auto refer = [this](const Key& key, int own_threads) {
    const auto& [position, declared] = key;
    return shared_references(entry_, cases_[position], declared.precision, declared.contract, own_threads);
  };
  std::vector<std::pair<const Key, SharedReferences>*> small;
  for (auto& entry : references_) {
    if (element_count(cases_[entry.first.first]) < kLarge) {
      small.push_back(&entry);
    } else {
      entry.second = refer(entry.first, threads);
    }
  }
  parallel_for(small.size(), threads, [&](std::size_t i) { small[i]->second = refer(small[i]->first, 1); });
}

const SharedReferences& References::of(std::size_t position, const SubjectInfo& info) const {
  static const SharedReferences none;
  if (info.bound == Bound::kNone) return none;
  const auto found = references_.find(key(position, info));
  DEFORMDIFF_CHECK(found != references_.end());
  return found->second;
}

}  // namespace deformdiff
