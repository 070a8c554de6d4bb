// A saved failure for people who have never heard of deformdiff: a script of its own, or a bug report.
#include "check/module_subject.h"
#include "cli/commands.h"
#include "cli/emit/evidence.h"
#include "cli/emit/issue_text.h"
#include "cli/emit/python_script.h"
#include "cli/output.h"
#include "cli/saved_run.h"
#include "cli/session_options.h"
#include "core/error.h"
#include "core/files.h"
#include "engine/expected.h"
#include "engine/repeat.h"
#include "engine/stage_judge.h"
#include "recorded/recorded_subject.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

constexpr std::string_view kOperatorScheme = "torchop:";

bool is_of_elements(Verdict verdict) {
  return verdict == Verdict::kOutOfBound || verdict == Verdict::kNonfiniteMismatch;
}

[[noreturn]] void cannot_show(const SavedRun& run, const std::string& why) {
  throw InputError(fmt::format("{}: cannot be shown in a script: {}", run.path.string(), why));
}

/// A case that was run, and failed.
struct Failed {
  const SavedRun& run;
  const Subject& subject;
  const Judgement& judgement;
  int threads;

  const Case& problem() const { return run.saved.problem; }
  std::vector<StageReference> outputs() const {
    return expected_outputs(*run.entry, problem(), subject.info, threads);
  }
};

void add_operator(const Failed& failed, Evidence& evidence) {
  const std::string& address = failed.subject.spec.command.subject;
  const bool backward = failed.problem().block == "ms_deform_attn_backward";
  const std::string name = fmt::format("{}::ms_deform_attn_{}", address.substr(address.rfind('#') + 1),
                                       backward ? "backward" : "forward");
  const auto library = std::filesystem::absolute(failed.subject.spec.library);
  evidence.of_operator = {library, name};
  evidence.implementation = fmt::format("{} of {}", name, library.filename().string());
  for (const StageReference& expected : failed.outputs()) {
    const OutputReference& output = expected.reference->outputs.front();
    evidence.claims.push_back({output.name, output, expected.estimated});
  }
}

/// The output's set in the order and shape in which the module returns it. Where no element of ours lies,
/// nothing is expected.
OutputReference as_returned(const OutputReference& ours, const ModuleResult& result) {
  if (result.places.size() != ours.value.size()) return ours;
  OutputReference theirs{ours.name, ours.dtype, result.shape, {}, {}, {}, {}};
  const auto count = static_cast<std::size_t>(element_count(result.shape));
  theirs.value.resize(count);
  theirs.value_low.resize(ours.value_low.empty() ? 0 : count);
  theirs.bound.resize(count);
  theirs.admits.assign(count, kAdmitsAnything);
  for (std::size_t i = 0; i < result.places.size(); ++i) {
    const auto place = static_cast<std::size_t>(result.places[i]);
    theirs.value[place] = ours.value[i];
    theirs.bound[place] = ours.bound[i];
    theirs.admits[place] = ours.admits.empty() ? std::uint8_t{kAdmitsFinite} : ours.admits[i];
    if (!ours.value_low.empty()) theirs.value_low[place] = ours.value_low[i];
  }
  return theirs;
}

/// Whether the outputs of the run that failed show it, given what may follow from the inputs alone.
bool shows_in_outputs(const Failed& failed, const std::vector<StageReference>& expected) {
  if (!is_of_elements(failed.judgement.comparison.verdict)) return true;
  const std::vector<NamedTensor>& outputs = failed.judgement.outcome.outputs;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    Outcome one = outcome_of(Outcome::Kind::kReturned);
    one.outputs = {outputs.at(i)};
    Reference reference = *expected[i].reference;
    reference.outputs.front().name = outputs[i].name;
    if (is_finding(compare(one, reference, {}).verdict)) return true;
  }
  return false;
}

/// False where the failure shows in no output.
bool add_module(const Failed& failed, const Options& options, Evidence& evidence) {
  const std::vector<StageReference> expected = failed.outputs();
  evidence.implementation = std::filesystem::path(failed.subject.spec.library).filename().string();
  if (!shows_in_outputs(failed, expected)) return false;
  evidence.of_module =
      module_call(failed.subject.spec.name, failed.problem(), run_limits_of(options), options.threads);
  const std::vector<OutputSpec> outputs = failed.run.entry->block->outputs(failed.problem());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& results = evidence.of_module->results;
    // What did not return is expected to return as many.
    const ModuleResult* result = results.empty() ? nullptr : &results.at(i);
    const auto at = result == nullptr ? outputs.begin() + static_cast<std::ptrdiff_t>(i)
                                      : std::ranges::find(outputs, result->output, &OutputSpec::name);
    const StageReference& of_output = expected.at(static_cast<std::size_t>(at - outputs.begin()));
    const OutputReference& ours = of_output.reference->outputs.front();
    evidence.claims.push_back({fmt::format("results[{}]", i),
                               result == nullptr ? ours : as_returned(ours, *result), of_output.estimated});
  }
  return true;
}

void add_values(const Failed& failed, Evidence& evidence) {
  const Comparison& decided = failed.judgement.comparison;
  const std::vector<Stage> stages = failed.run.entry->block->stages(failed.problem());
  const auto stage = std::ranges::find(stages, decided.output, &Stage::name);
  if (!is_of_elements(decided.verdict) || stage == stages.end()) {
    cannot_show(failed.run, fmt::format("{} ({}) is no number that others could look at",
                                        name_of(decided.verdict), decided.reason));
  }
  const Outcome& outcome = failed.judgement.outcome;
  const BlockEntry& entry = *failed.run.entry;
  ExpectedStage expected = expected_of_stage(entry, failed.problem(), outcome, failed.subject.info, *stage,
                                             decided.untapped, failed.threads);
  const Tensor* const got = shown_value(entry, failed.problem(), outcome, stage->name, decided.untapped);
  DEFORMDIFF_CHECK(got != nullptr);
  const bool torch = stage->operation == "ms_deform_attn" && failed.subject.spec.library.empty();
  evidence.of_values = {*got, *stage, std::move(expected.operands), torch};
  evidence.claims = {
      {stage->name, expected.reference.reference->outputs.front(), expected.reference.estimated}};
}

Evidence evidence_of(const Failed& failed, const Options& options) {
  Evidence evidence;
  evidence.saved = failed.run.saved;
  evidence.info = failed.subject.info;
  evidence.comparison = failed.judgement.comparison;
  evidence.environment = failed.subject.runner->environment();
  if (const auto& seen = evidence.saved.reproduction) evidence.runs = runs_for(seen->rate());
  if (evidence.comparison.verdict == Verdict::kOverranBuffer) {
    cannot_show(failed.run, "a write outside a buffer shows under AddressSanitizer alone");
  }
  if (evidence.comparison.verdict == Verdict::kBrokenRelation) {
    cannot_show(failed.run, "without a bound nothing says what a single answer should be");
  }
  const std::string& name = failed.subject.spec.name;
  evidence.implementation = name;
  if (name.starts_with(kOperatorScheme)) {
    add_operator(failed, evidence);
  } else if (!name.starts_with(kModuleScheme) || !add_module(failed, options, evidence)) {
    if (name.starts_with(kRecordedScheme)) {
      evidence.implementation = std::filesystem::path(failed.subject.spec.library).filename().string();
    }
    add_values(failed, evidence);
  }
  return evidence;
}

}  // namespace

int run_emit(const Options& options) {
  const SavedRun run = load_single_run(options.files.front(), options);
  Subject subject = open_subject(run.subjects.front(), run_limits_of(options));
  const Judgement judgement = judge_again(subject, run, options.threads).judgement;
  const Comparison& comparison = judgement.comparison;
  if (!is_finding(comparison.verdict)) {
    say(options, fmt::format("{}: nothing to show: {}: {} {}\n", run.path.string(), subject.spec.name,
                             name_of(comparison.verdict), comparison.reason));
    return 4;
  }
  const Evidence evidence = evidence_of({run, subject, judgement, options.threads}, options);
  const std::string script = python_script(evidence);
  const std::string text = options.issue ? issue_text(evidence, script) : script;
  if (options.output.empty()) {
    say(options, text);
  } else {
    write_file(options.output, text);
  }
  return 0;
}

}  // namespace deformdiff::cli
