#include "cli/selftest/measurement.h"

#include "catalog/addresses.h"
#include "catalog/canaries.h"
#include "catalog/catalog.h"
#include "cli/session_options.h"
#include "core/error.h"
#include "engine/judge.h"
#include "engine/parallel.h"
#include "engine/session.h"
#include "reports/progress.h"
#include "reports/summary.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

constexpr std::uint64_t kSeeds = 20, kDeepSeeds = 3;
constexpr std::int64_t kRightCases = 300, kDeepRightCases = 20;
constexpr std::int64_t kSharpnessCases = 200, kDeepSharpnessCases = 10;
// Each try of a fault that hangs takes the whole case timeout: the size it shrinks to is not worth more.
constexpr double kShrinkSeconds = 2;
/// Found in every typical case of float32, of the operator and its backward.
constexpr double kAlwaysFound = 1e-4;

/// What crashes or hangs: each hang is waited for several times, and the operator on small cases is not slow.
const char* const kProcessClass = "process";
constexpr double kProcessTimeout = 3;

SessionReport run_session(const Options& options, const BlockEntry& entry, std::vector<SubjectSpec> subjects,
                          SessionOptions session) {
  if (subjects.empty()) return {};
  session.shrink_budget_seconds = kShrinkSeconds;
  ProgressLine progress(stderr, options.progress, {{{entry.block->name(), session.cases}}, {}});
  return fuzz(entry, std::move(subjects), session, progress);
}

const SubjectInfo& info_of(const SubjectSpec& fault) {
  const auto& list = faults_and_controls().subjects;
  const auto info = std::ranges::find(list, fault.name, &SubjectInfo::name);
  DEFORMDIFF_CHECK(info != list.end());
  return *info;
}

/// Every fault on the usual cases, and those that only a tier shows that must be named, on that one.
SessionReport run_faults(const Options& options, const BlockEntry& entry, const MeasurementPlan& plan) {
  std::map<std::pair<std::string, bool>, std::vector<SubjectSpec>> groups;
  for (const SubjectSpec& fault : plan.faults) {
    const SubjectInfo& info = info_of(fault);
    groups[{tier_of(info, *entry.generator), info.fault_class == kProcessClass}].push_back(fault);
  }
  SessionReport report;
  for (auto& [group, faults] : groups) {
    const auto& [tier, process] = group;
    SessionOptions session = session_options_of(options);
    session.first_finding = true;
    session.shrink = plan.shrink;
    session.cases = tier.empty() ? plan.fault_cases : kCasesOfNamedTier;
    if (!tier.empty()) session.tiers = {tier};
    if (process && !session.limits.case_timeout_seconds)
      session.limits.case_timeout_seconds = kProcessTimeout;
    append(report, run_session(options, entry, std::move(faults), session));
  }
  return report;
}

/// A fault's first finding; nullptr if it was not found.
const Finding* finding_of(const SessionReport& session, const std::string& subject) {
  const Finding* first = nullptr;
  for (const Finding& finding : session.findings) {
    const bool earlier = first == nullptr || finding.first_case < first->first_case;
    if (finding.signature.subject == subject && earlier) first = &finding;
  }
  return first;
}

/// The first case of a stream that shows the fault, in the subject's present worker.
std::optional<std::uint64_t> first_failing_case(Subject& subject, const BlockEntry& entry,
                                                const Options& options, std::uint64_t seed,
                                                std::int64_t cases) {
  const JudgeOptions judge{.threads = 1, .memory_limit = session_options_of(options).memory_limit};
  for (std::uint64_t index = 0; index < static_cast<std::uint64_t>(cases); ++index) {
    const Case c = entry.generator->generate({seed, {}, {}}, index);
    if (is_finding(judge_case_here(subject, entry, c, {}, judge).comparison.verdict)) return index;
  }
  return std::nullopt;
}

/// The other seeds' streams: of a fault that shows only in a tier that must be named, or crashes or hangs,
/// there is no need. A fault that remembers has a fresh worker for each.
void run_other_seeds(const Options& options, const BlockEntry& entry, const MeasurementPlan& plan,
                     std::vector<FaultResult>& faults) {
  parallel_for(plan.faults.size(), options.threads, [&](std::size_t i) {
    const SubjectSpec& spec = plan.faults[i];
    const auto fault =
        std::ranges::find(faults, spec.name, [](const FaultResult& each) { return each.first_seed.name; });
    if (fault == faults.end() || !tier_of(info_of(spec), *entry.generator).empty() ||
        fault->fault_class == kProcessClass)
      return;
    Subject subject = open_subject(spec, run_limits_of(options));
    for (std::uint64_t seed = options.seed + 1; seed < options.seed + plan.seeds; ++seed) {
      fault->cases.push_back(first_failing_case(subject, entry, options, seed, plan.fault_cases));
      if (fault->fault_class == "state") subject.runner->restart();
    }
  });
}

FaultResult result_of(const SessionReport& session, const SubjectReport& subject) {
  FaultResult result;
  result.fault_class = subject.info.fault_class;
  Canary& canary = result.first_seed;
  canary.name = subject.name;
  canary.block = subject.block;
  canary.trigger = subject.info.trigger;
  canary.expected = subject.info.expected;
  canary.enough = canary.reached = subject.cases;
  canary.judged = tally_of(subject).judged();
  const Finding* const finding = finding_of(session, subject.name);
  const auto given = static_cast<std::uint64_t>(subject.cases);
  canary.cases.add(0, finding != nullptr ? finding->first_case + 1 : given);
  canary.found = finding != nullptr ? 1 : 0;
  result.cases.push_back(finding != nullptr ? std::optional(finding->first_case) : std::nullopt);
  if (finding == nullptr) return result;
  canary.verdict = finding->signature.rule;
  result.original_elements = finding->original_elements;
  result.shrunk_elements = finding->shrunk_elements;
  return result;
}

std::vector<SubjectSpec> named_with(const std::string& prefix, const BlockEntry& entry) {
  std::vector<std::string> names;
  for (const SubjectInfo& info : faults_and_controls().subjects) {
    if (info.name.starts_with(prefix) && info.blocks.contains(entry.block->name()))
      names.push_back(info.name);
  }
  return names.empty() ? std::vector<SubjectSpec>() : parse_subjects(names);
}

}  // namespace

std::vector<std::string> absent_from(const MeasurementPlan& plan, const BlockMeasurement& measurement) {
  std::set<std::string> present;
  for (const FaultResult& fault : measurement.faults) present.insert(fault.first_seed.name);
  for (const SubjectReport& subject : measurement.right.subjects) present.insert(subject.name);
  std::vector<std::string> absent;
  for (const auto* specs : {&plan.faults, &plan.right}) {
    for (const SubjectSpec& spec : *specs) {
      if (!present.contains(spec.name)) absent.push_back(spec.name);
    }
  }
  return absent;
}

MeasurementPlan plan_of(const Options& options, const BlockEntry& entry) {
  const bool deep = is_deep(entry);
  MeasurementPlan plan;
  plan.faults = named_with("fault/", entry);
  for (SubjectSpec& spec : parse_subjects({})) {
    if (blocks_served(spec, {}).contains(entry.block->name())) plan.right.push_back(std::move(spec));
  }
  std::ranges::move(named_with("control/", entry), std::back_inserter(plan.right));
  plan.fault_cases = deep ? kCasesForDeepFaults : kCasesForFaults;
  plan.right_cases = options.cases.value_or(deep ? kDeepRightCases : kRightCases);
  plan.sharpness_cases = deep ? kDeepSharpnessCases : kSharpnessCases;
  plan.seeds = deep ? kDeepSeeds : kSeeds;
  return plan;
}

BlockMeasurement measure(const Options& options, const BlockEntry& entry, const MeasurementPlan& plan) {
  BlockMeasurement measurement;
  measurement.block = entry.block->name();
  const SessionReport session_of_faults = run_faults(options, entry, plan);
  for (const SubjectReport& subject : session_of_faults.subjects)
    measurement.faults.push_back(result_of(session_of_faults, subject));
  run_other_seeds(options, entry, plan, measurement.faults);
  SessionOptions session = session_options_of(options);
  session.cases = plan.right_cases;
  measurement.right = run_session(options, entry, plan.right, session);
  Subject subject = open_subject(parse_subject("cpu"), run_limits_of(options));
  measurement.sharpness =
      measure_sharpness(subject, entry, options.seed, plan.sharpness_cases, options.threads, kMemoryLimit);
  measurement.absent = absent_from(plan, measurement);
  return measurement;
}

std::vector<std::string> failures_of(const BlockEntry& entry, const BlockMeasurement& measurement) {
  std::vector<std::string> failures;
  for (const FaultResult& fault : measurement.faults) {
    if (fault.first_seed.got_what_is_due()) continue;
    failures.push_back(fmt::format("{} of {}: {} is due, {} came of {} cases", fault.first_seed.name,
                                   measurement.block, fault.first_seed.expected, fault.first_seed.got(),
                                   fault.first_seed.cases.size()));
  }
  for (const SubjectReport& subject : measurement.right.subjects) {
    const Tally tally = tally_of(subject);
    if (tally.found > 0) {
      failures.push_back(fmt::format("{} of {} is right and was blamed in {} of {} cases", subject.name,
                                     measurement.block, tally.found, tally.judged()));
    }
    if (tally.judged() == 0 && subject.info.not_run.empty()) {
      failures.push_back(fmt::format("nothing was judged of {} of {}", subject.name, measurement.block));
    }
  }
  for (const std::string& name : measurement.absent)
    failures.push_back(fmt::format("{} of {} was not run", name, measurement.block));
  for (const Sharpness& row : measurement.sharpness) {
    const bool is_sharp = row.always <= kAlwaysFound;
    if (is_deep(entry) || is_sharp || row.tier != "typical" || row.dtype != DType::kFloat32) continue;
    failures.push_back(fmt::format("an error of {:.0e} is not found in every typical case of {} in float32",
                                   kAlwaysFound, measurement.block));
  }
  return failures;
}

}  // namespace deformdiff::cli
