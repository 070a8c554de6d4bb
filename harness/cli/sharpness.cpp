#include "cli/sharpness.h"

#include "engine/stage_judge.h"

#include <algorithm>
#include <vector>

namespace deformdiff::cli {
namespace {

/// Every element times 1 + error, rounded to float32 once.
Outcome scaled(const Outcome& outcome, double error) {
  Outcome result = outcome;
  for (NamedTensor& output : result.outputs) {
    const auto values = output.tensor.values<float>();
    std::vector<float> changed(values.size());
    std::ranges::transform(values, changed.begin(),
                           [error](float value) { return static_cast<float>(value * (1 + error)); });
    output.tensor = Tensor::of<float>(DType::kFloat32, output.tensor.shape(), changed);
  }
  return result;
}

void note_dominant_term(Sharpness& sharpness, const Subject& subject, const BlockEntry& entry, const Case& c,
                        const Outcome& outcome, const Comparison& comparison) {
  const std::vector<Stage> stages = entry.block->stages(c);
  const auto stage = std::ranges::find(stages, comparison.output, &Stage::name);
  if (comparison.element < 0 || stage == stages.end()) return;
  const auto [oracle, problem, element] = element_of_stage(entry, c, outcome, *stage, comparison);
  const Explanation explanation =
      oracle.explain(problem, subject.info.precision, subject.info.contract, element);
  if (!explanation.terms.empty()) ++sharpness.dominant_terms[explanation.terms.front().first];
}

void inject(Sharpness& sharpness, const Subject& subject, const BlockEntry& entry, const Case& c,
            std::uint64_t index, const Outcome& outcome, const StageOptions& options) {
  const bool typical = c.provenance.tier == "typical";
  ++sharpness.cases;
  sharpness.typical_cases += typical ? 1 : 0;
  for (std::size_t i = 0; i < kInjected.size(); ++i) {
    const Outcome wrong = scaled(outcome, kInjected[i]);
    const Comparison comparison = judge_stages(entry, c, wrong, subject.info, options).comparison;
    if (is_finding(comparison.verdict)) {
      ++sharpness.caught[i];
      sharpness.typical_caught[i] += typical ? 1 : 0;
      if (!sharpness.first_caught[i]) sharpness.first_caught[i] = index;
    } else if (i + 1 == kInjected.size()) {
      note_dominant_term(sharpness, subject, entry, c, wrong, comparison);
    }
  }
}

}  // namespace

Sharpness measure_sharpness(Subject& subject, const BlockEntry& entry, std::uint64_t seed, std::int64_t cases,
                            int threads, std::int64_t memory_limit) {
  Sharpness sharpness;
  for (std::uint64_t index = 0; index < static_cast<std::uint64_t>(cases); ++index) {
    const Case c = entry.generator->generate(seed, {}, index);
    if (entry.block->compute_dtype(c) != DType::kFloat32) continue;
    if (admit(subject.info, *entry.block, c, memory_limit).kind != Outcome::Kind::kReturned) continue;
    subject.runner->start({&c, 1}, {});
    const SharedReferences shared =
        shared_references(entry, c, subject.info.precision, subject.info.contract, threads);
    const StageOptions options{.threads = threads, .shared = &shared};
    const Outcome outcome = std::move(subject.runner->finish().front());
    const Comparison comparison = judge_stages(entry, c, outcome, subject.info, options).comparison;
    // What agrees vacuously, or has no elements, could show no error of any size.
    if (comparison.verdict != Verdict::kAgree) continue;
    inject(sharpness, subject, entry, c, index, outcome, options);
  }
  return sharpness;
}

}  // namespace deformdiff::cli
