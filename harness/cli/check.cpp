// Is this exported model right? Which stage diverges first, under which replay, and why.
#include "catalog/catalog.h"
#include "check/cause.h"
#include "check/checked_model.h"
#include "check/cures.h"
#include "check/opaque.h"
#include "check/tapped_stages.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "recorded/recorded_stages.h"
#include "cli/session_options.h"
#include "cli/stage_report.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// The modes in which LibTorch changes the graph, beside the default executor.
constexpr std::array kOptimised{module_mode::kFrozen, module_mode::kInference};

/// "other_batch/executor"
std::string scenario_name(const std::string& replay, std::string_view mode) {
  return fmt::format("{}/{}", replay, mode.substr(mode.find('/') + 1));
}

class Checker {
 public:
  Checker(const Options& options, const BlockEntry& entry, ExportedModule& module)
      : options_(options), module_(module), model_(options, entry, module.description()) {
    info_.name = options.files.front().string();
  }

  void check(RunReport& report) {
    report.audit = module_.description().audit;
    report.warnings = module_.description().notes;
    SubjectReport& subject = report.session.subjects.emplace_back();
    subject.name = info_.name;
    subject.block = model_.block().name();
    subject.info = info_;
    for (const auto& file : options_.inputs) replay_file(file, subject, report);
    const ReplaySource source =
        source_of(replays_.empty() ? model_.traced_inputs() : replays_.front().problem.inputs);
    const ReplaySizes base = sizes_of(source);
    for (ReplayCase& each : replay_cases(source, base, options_.seed)) {
      replay(each.name, each.sizes, std::move(each.problem), subject, report);
    }
    replay_blocked_rows(source, base, subject, report);
    conclude(report);
  }

 private:
  ReplaySource source_of(std::vector<NamedTensor> example) const {
    return {model_.block(), model_.attributes(), model_.parameters(), model_.input_set(), std::move(example)};
  }

  /// A row of an attention mask that is blocked throughout is a promise of its own, and rare: inputs that
  /// tend to it are tried for a while.
  void replay_blocked_rows(const ReplaySource& source, const ReplaySizes& base, SubjectReport& subject,
                           RunReport& report) {
    if (!unblocks_rows(replays_.back().problem)) return;
    constexpr std::uint64_t kTries = 24;
    constexpr double kSeconds = 30;
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < kTries && watch.seconds() < kSeconds; ++i) {
      Replay tried = run("blocked_rows", base, uniform_case(source, base, options_.seed + 100 + i), nullptr);
      if (!tried.fails() && !blocks_a_row(tried)) continue;
      record_replay(std::move(tried), subject, report);
      return;
    }
    report.warnings.push_back(
        "no replay blocked a whole row of an attention mask: what the model does then was not seen");
  }

  bool unblocks_rows(const Case& c) const {
    const std::vector<Stage> stages = model_.block().stages(c);
    return std::ranges::find(stages, "unblock_rows", &Stage::operation) != stages.end();
  }

  bool blocks_a_row(const Replay& replay) const {
    for (const Stage& stage : model_.block().stages(replay.problem)) {
      if (stage.operation != "unblock_rows") continue;
      const auto mask =
          std::ranges::find(replay.outcome.stages, stage.inputs.front().value, &NamedTensor::name);
      if (mask == replay.outcome.stages.end() || mask->tensor.elements() == 0) continue;
      const auto row = static_cast<std::size_t>(mask->tensor.shape().back());
      const std::span<const std::byte> bits = mask->tensor.contiguous().storage();
      for (std::size_t first = 0; first < bits.size(); first += row) {
        if (std::ranges::all_of(bits.subspan(first, row),
                                [](std::byte bit) { return bit != std::byte{0}; })) {
          return true;
        }
      }
    }
    return false;
  }

  /// The inputs of a file, and the outputs that are recorded with them.
  void replay_file(const std::filesystem::path& path, SubjectReport& subject, RunReport& report) {
    try {
      const SafetensorsFile file = read_safetensors(path);
      StagedRecording recording = inputs_of(file);
      const DType dtype =
          model_.parameters().empty() ? DType::kFloat32 : model_.parameters().front().tensor.dtype();
      const Case c = staged_case(model_.block(), recording, dtype);
      model_.block().validate(c);
      replay(path.stem().string(), sizes_of(source_of(c.inputs)), c, subject, report);
      judge_recorded(path, recording, subject, report);
      std::ranges::copy(recording.ignored, std::back_inserter(report.ignored));
    } catch (const InputError& error) {
      throw InputError(about(path, error));
    }
  }

  /// Takes the model's parameters for those of the file.
  StagedRecording inputs_of(const SafetensorsFile& file) const {
    SafetensorsFile whole;
    for (const NamedTensor& tensor : file.tensors) {
      if (!tensor.name.starts_with("param.")) whole.tensors.push_back(tensor);
    }
    return take_apart_stages(whole, model_.block(), model_.names().layout(), options_, model_.attributes(),
                             model_.parameters());
  }

  void judge_recorded(const std::filesystem::path& path, const StagedRecording& recording,
                      SubjectReport& subject, RunReport& report) {
    for (const RecordedStages& run : recording.runs) {
      const Case c = staged_case(model_.block(), recording, run.dtype);
      StagedComparison judged;
      judged.comparison = not_judged(run);
      if (judged.comparison.reason.empty()) {
        judged =
            judge_stages(model_.entry(), c, run.outcome, {}, {.threads = options_.threads, .one_run = true});
      }
      record(fmt::format("{}: {}", path.stem().string(), run.name), c, judged, subject, report);
    }
  }

  /// With a reason for runs that cannot be held against the block's definition.
  Comparison not_judged(const RecordedStages& run) const {
    Comparison comparison;
    comparison.verdict = Verdict::kUnsupported;
    if (run.dtype != DType::kFloat32 && run.dtype != DType::kFloat64) {
      comparison.reason = fmt::format("judging {} is not available yet", name_of(run.dtype));
    } else if (run.dtype == DType::kFloat64 && model_.names().layout() != Layout::kHuggingface) {
      comparison.reason = "the framework computes positions in float32, whatever the dtype";
    }
    return comparison;
  }

  /// The recorded graph in the plain interpreter, tapped.
  Replay run(const std::string& name, const ReplaySizes& sizes, Case c, RatioHistogram* ratios) {
    Outcome outcome = module_.run(module_mode::kInterpreter, model_.arguments(c), true);
    seconds_ = std::max(seconds_, outcome.seconds);
    model_.name_outputs(outcome);
    outcome.stages = find_stages(model_, c, outcome, info_, options_.threads);
    StagedComparison judged = judge_stages(model_.entry(), c, outcome, info_,
                                           {.threads = options_.threads, .one_run = true}, ratios);
    return {name, sizes, std::move(c), std::move(outcome), std::move(judged)};
  }

  void record_replay(Replay replay, SubjectReport& subject, RunReport& report) {
    StagedComparison judged = replay.judged;
    record(replay.name, replay.problem, judged, subject, report);
    replays_.push_back(std::move(replay));
  }

  /// In the plain interpreter; then what LibTorch makes of the graph.
  void replay(const std::string& name, const ReplaySizes& sizes, Case c, SubjectReport& subject,
              RunReport& report) {
    const std::vector<NamedTensor> arguments = model_.arguments(c);
    record_replay(run(name, sizes, std::move(c), &subject.ratios), subject, report);
    run_mode(name, module_mode::kExecutor, arguments, subject, report);
    if (replays_.size() > 1) return;
    for (const char* mode : kOptimised) run_mode(name, mode, arguments, subject, report);
  }

  /// The outputs of another mode, beside the stages of the interpreter's run of the same case.
  void run_mode(const std::string& name, const char* mode, const std::vector<NamedTensor>& arguments,
                SubjectReport& subject, RunReport& report) {
    const Replay& replay = replays_.back();
    Outcome outcome = module_.run(mode, arguments, false);
    model_.name_outputs(outcome);
    outcome.stages = replay.outcome.stages;
    const bool same = outcome.kind == Outcome::Kind::kReturned && outcome.outputs == replay.outcome.outputs;
    StagedComparison judged =
        same ? replay.judged
             : judge_stages(model_.entry(), replay.problem, outcome, info_, {.threads = options_.threads});
    judged.stages.clear();  // those of the interpreter's run, which have their rows
    record(scenario_name(name, mode), replay.problem, judged, subject, report);
  }

  void record(const std::string& name, const Case& c, StagedComparison& judged, SubjectReport& subject,
              RunReport& report) {
    const Signature signature = signature_of(model_.entry(), info_.name, c, judged.comparison);
    add_scenario(name, judged, model_.names(), report);
    count(subject, judged.comparison);
    if (!is_finding(judged.comparison.verdict)) return;
    auto& findings = report.session.findings;
    const auto known = std::ranges::find(findings, signature, &Finding::signature);
    if (known != findings.end()) {
      ++known->count;
    } else {
      findings.push_back(judged_finding(signature, c, judged.comparison, options_.files.front()));
    }
  }

  void conclude(RunReport& report) {
    // What positions alone make is reached by no input's values, and need not be.
    const Case& first = replays_.front().problem;
    if (std::ranges::none_of(model_.block().output_names(), [&](const std::string& output) {
          return follows_inputs(model_.block(), first, output);
        })) {
      std::erase_if(report.audit,
                    [](const AuditFinding& each) { return each.kind == audit_kind::kOutputIgnoresInputs; });
    }
    report.cause = find_cause(replays_, model_.block(), report.audit);
    if (report.cause.empty() && !report.session.findings.empty()) report.cause = "unknown";
    report.advice = advice_on(report.cause, report.first_diverging_stage);
    if (std::ranges::none_of(replays_, &Replay::fails) && !report.session.findings.empty()) {
      report.advice = {
          "The recorded graph agrees on every input. The outputs recorded in --inputs, or what LibTorch's "
          "optimisation makes of the graph, are not what it computes: see the scenarios that fail."};
    } else if (std::ranges::all_of(replays_, &Replay::has_no_result)) {
      report.advice.push_back(
          "No replay gave tensors of the block's shapes: if arguments or results are in another order, "
          "--input-order and --output-order say which.");
    }
    static const std::set<std::string> of_the_kernel{"outputs_ignore_inputs", "stale_constant"};
    if (!of_the_kernel.contains(report.cause) || !may_be_the_kernel()) return;
    std::ranges::move(cures_for(options_, model_.entry(), replays_.front().problem, seconds_),
                      std::back_inserter(report.advice));
  }

  /// Whether the operator computes the first stage at fault, or something unseen that it is computed from.
  bool may_be_the_kernel() const {
    const auto failing = std::ranges::find_if(replays_, &Replay::fails);
    if (failing == replays_.end()) return false;
    const std::vector<Stage> stages = model_.block().stages(failing->problem);
    std::set<std::string> suspects{failing->judged.comparison.output};
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      if (!suspects.contains(stage->name)) continue;
      if (stage->operation == "ms_deform_attn") return true;
      for (const StageInput& input : stage->inputs) {
        const auto& seen = failing->outcome.stages;
        if (std::ranges::find(seen, input.value, &NamedTensor::name) == seen.end()) {
          suspects.insert(input.value);
        }
      }
    }
    return false;
  }

  const Options& options_;
  ExportedModule& module_;
  CheckedModel model_;
  SubjectInfo info_;
  std::vector<Replay> replays_;
  double seconds_ = 0;  ///< of the slowest call of the recorded graph
};

/// A module that takes its worker down when it is loaded is a finding.
void report_load_failure(const Options& options, const ExportedModule& module, RunReport& report) {
  SubjectReport& subject = report.session.subjects.emplace_back();
  subject.name = options.files.front().string();
  subject.block = options.blocks.front();
  Comparison comparison = compare(module.load_failure(), {}, {});
  count(subject, comparison);
  report.session.findings.push_back(
      judged_finding({subject.block, subject.name, std::string(name_of(comparison.verdict)), "", "structure"},
                     {}, comparison, options.files.front()));
  report.cause = "unknown";
  report.scenarios.push_back({"load", "outputs", comparison.verdict, false, 0, 0, comparison.reason});
}

}  // namespace

int run_check(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const std::filesystem::path& path = options.files.front();
  RunReport report;
  try {
    ExportedModule module(path, run_limits_of(options));
    report.session.environment = module.environment();
    if (module.load_failure().kind != Outcome::Kind::kNotRun) {
      report_load_failure(options, module, report);
    } else if (options.blocks.front() == kOpaqueBlock) {
      check_opaque(options, module, report);
    } else {
      const BlockEntry& entry = find_block(options.blocks.front());
      if (!entry.has_stages()) {
        throw InputError(
            fmt::format("--block {}: an operator, not a model; check takes a block with stages, or opaque",
                        entry.block->name()));
      }
      Checker(options, entry, module).check(report);
    }
  } catch (const InputError& error) {
    throw InputError(about(path, error));
  }
  report.session.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return finish(options, report);
}

}  // namespace deformdiff::cli
