// Is this exported model right? Which stage diverges first, under which replay, and why.
#include "cli/catalog.h"
#include "cli/check/cause.h"
#include "cli/check/checked_model.h"
#include "cli/check/cures.h"
#include "cli/check/opaque.h"
#include "cli/check/tapped_stages.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/recorded_stages.h"
#include "cli/session_options.h"
#include "cli/stage_report.h"

#include <algorithm>
#include <chrono>
#include <set>
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
    SubjectReport& subject = report.session.subjects.emplace_back();
    subject.name = info_.name;
    subject.block = model_.block().name();
    subject.info = info_;
    for (const auto& file : options_.inputs) replay_file(file, subject, report);
    const ReplaySizes base =
        replays_.empty() ? sizes_of(model_.traced_inputs(), levels()) : replays_.front().sizes;
    for (ReplayCase& each : replay_cases(model_.block(), model_.attributes(), model_.parameters(),
                                         model_.input_set(), base, options_.seed)) {
      replay(each.name, each.sizes, std::move(each.problem), subject, report);
    }
    conclude(report);
  }

 private:
  std::int64_t levels() const {
    const auto levels = model_.attributes().find("num_levels");
    return levels == model_.attributes().end() ? 1 : static_cast<std::int64_t>(levels->second);
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
      replay(path.stem().string(), sizes_of(c.inputs, levels()), c, subject, report);
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

  /// The recorded graph in the plain interpreter, tapped; then what LibTorch makes of it.
  void replay(const std::string& name, const ReplaySizes& sizes, Case c, SubjectReport& subject,
              RunReport& report) {
    const std::vector<NamedTensor> arguments = model_.arguments(c);
    Outcome outcome = module_.run(module_mode::kInterpreter, arguments, true);
    seconds_ = std::max(seconds_, outcome.seconds);
    model_.name_outputs(outcome);
    outcome.stages = find_stages(model_, c, outcome.stages, info_, options_.threads);
    StagedComparison judged = judge_stages(model_.entry(), c, outcome, info_,
                                           {.threads = options_.threads, .one_run = true}, &subject.ratios);
    replays_.push_back({name, sizes, c, outcome, judged});
    record(name, c, judged, subject, report);
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
    const bool same = outcome.kind == replay.outcome.kind && outcome.outputs == replay.outcome.outputs;
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
    report.cause = find_cause(replays_, module_.description());
    if (report.cause.empty() && !report.session.findings.empty()) report.cause = "unknown";
    report.advice = advice_on(report.cause, report.first_diverging_stage);
    if (std::ranges::none_of(replays_, &Replay::fails) && !report.session.findings.empty()) {
      report.advice = {
          "The recorded graph agrees on every input. The outputs recorded in --inputs, or what LibTorch's "
          "optimisation makes of the graph, are not what it computes: see the scenarios that fail."};
    } else if (std::ranges::all_of(replays_, no_result)) {
      report.advice.push_back(
          "No replay gave tensors of the block's shapes: if arguments or results are in another order, "
          "--input-order and --output-order say which.");
    }
    static const std::set<std::string> kOfTheKernel{"outputs_ignore_inputs", "stale_constant"};
    if (!kOfTheKernel.contains(report.cause) || !may_be_the_kernel()) return;
    std::ranges::move(cures_for(options_, model_.entry(), replays_.front().problem, seconds_),
                      std::back_inserter(report.advice));
  }

  static bool no_result(const Replay& replay) {
    return replay.outcome.kind != Outcome::Kind::kReturned ||
           replay.judged.comparison.verdict == Verdict::kWrongStructure;
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
    if (module.load_failure().kind == Outcome::Kind::kCrashed) {
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
