#include "recorded/stage_report.h"

namespace deformdiff {
namespace {

Scenario row(const std::string& name, std::string stage, const Comparison& comparison) {
  Scenario row;
  row.name = name;
  row.stage = std::move(stage);
  row.verdict = comparison.verdict;
  row.estimated = comparison.estimated;
  row.ratio = comparison.ratio;
  if (comparison.verdict != Verdict::kAgree) row.reason = comparison.reason;
  return row;
}

void rename(Comparison& comparison, const std::string& theirs) {
  const std::size_t at = comparison.reason.find(comparison.output);
  if (!comparison.output.empty() && at == 0) comparison.reason.replace(0, comparison.output.size(), theirs);
}

/// The layout's name for a stage of ours, or ours where it has none.
std::string reported_stage(const LayoutNames& names, const std::string& stage) {
  return names.their_stage(stage).value_or(stage);
}

}  // namespace

void add_scenario(const std::string& name, StagedComparison& judged, const LayoutNames& names,
                  RunReport& report) {
  for (StageVerdict& stage : judged.stages) {
    const std::string theirs = reported_stage(names, stage.stage);
    rename(stage.comparison, theirs);
    Scenario& scenario = report.scenarios.emplace_back(row(name, theirs, stage.comparison));
    scenario.inherited = stage.inherited;
    if (is_finding(scenario.verdict) && report.first_diverging_stage.empty())
      report.first_diverging_stage = theirs;
  }
  rename(judged.comparison, reported_stage(names, judged.comparison.output));
  report.scenarios.push_back(row(name, "outputs", judged.comparison));
}

}  // namespace deformdiff
