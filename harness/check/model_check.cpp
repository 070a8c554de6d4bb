#include "check/model_check.h"

#include "check/block_operations.h"
#include "check/blocked_rows.h"
#include "check/cause.h"
#include "check/checked_model.h"
#include "check/cures.h"
#include "check/float64_replay.h"
#include "check/hard_cases.h"
#include "check/module_run.h"
#include "check/module_subject.h"
#include "check/whole_model.h"
#include "core/error.h"
#include "core/files.h"
#include "engine/findings.h"
#include "engine/signature.h"
#include "engine/stopwatch.h"
#include "engine/subject.h"
#include "recorded/judge_recording.h"
#include "recorded/recorded_subject.h"
#include "recorded/recording.h"
#include "recorded/stage_report.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// "other_batch/executor"
std::string scenario_name(const std::string& replay, std::string_view mode) {
  return fmt::format("{}/{}", replay, module_mode::short_name(mode));
}

/// By which another image is larger: what backbones divide sides by, twice that to change the aspect ratio.
constexpr std::int64_t kMoreRows = 32, kMoreColumns = 64;

class ModelCheck {
 public:
  ModelCheck(const CheckRequest& request, const BlockEntry& entry, ExportedModule& module, RunReport& report)
      : request_(request),
        module_(module),
        model_(request, entry, module.description()),
        report_(report),
        subject_(report.session.subjects.emplace_back()) {
    report.audit = module.description().audit;
    report.warnings = module.description().notes;
    for (const std::string& name : model_.dropped_inputs()) {
      report.warnings.push_back(fmt::format(
          "the model does not take {}, which it should: its exporter drops what the graph does not read",
          name));
    }
    subject_.info = module.info();
    subject_.name = subject_.info.name = request.model.string();
    subject_.block = model_.block().name();
    subject_.info.blocks = {subject_.block};
    apply(request.declared, subject_.info);
  }

  void run() {
    request_.image ? replay_images() : replay_cases_and_files();
    conclude();
  }

 private:
  void replay_cases_and_files() {
    for (const auto& file : request_.inputs) replay_file(file);
    const ReplaySource source =
        source_of(replays_.empty() ? model_.traced_inputs() : replays_.front().problem.inputs);
    const ReplaySizes base = sizes_of(source);
    for (ReplayCase& each : replay_cases(source, base, request_.seed)) {
      replay(each.name, each.sizes, std::move(each.problem));
    }
    replay_blocked_rows(source, base);
    if (std::ranges::none_of(replays_, &Replay::fails)) replay_hard_cases(source);
  }

  /// The block on what a whole model gives it for images: of the traced size, of others, of several.
  void replay_images() {
    const LevelSize size = *request_.image;
    const LevelSize larger{size.height + kMoreRows, size.width + kMoreColumns};
    const std::array<ReplayImage, 5> images{{{"same_shape", 1, size},
                                             {"other_values", 1, size},
                                             {"other_batch", 2, size},
                                             {"transposed", 1, {size.width, size.height}},
                                             {"other_shape", 1, larger}}};
    std::erase_if(report_.audit,
                  [&](const AuditFinding& each) { return !model_.their_path(each.scope + ".").has_value(); });
    for (std::size_t i = 0; i < images.size(); ++i) replay_image(images[i], request_.seed + i);
  }

  struct ReplayImage {
    const char* name;
    std::int64_t batch;
    LevelSize size;
  };

  void replay_image(const ReplayImage& each, std::uint64_t seed) {
    const Tensor image = random_image(model_.dtype(), each.batch, each.size, seed);
    BlockInModel seen = run_on_image(module_, model_, image, subject_.info, request_.threads);
    const bool returned = seen.outcome.kind == Outcome::Kind::kReturned;
    if (replays_.empty() && !returned) {
      throw InputError(fmt::format("--image-size {}x{}: the model does not take such an image: {}",
                                   each.size.height, each.size.width, seen.outcome.message));
    }
    seconds_ = std::max(seconds_, seen.outcome.seconds);
    Replay replay{
        each.name, {each.batch, {}, each.size}, std::move(seen.problem), std::move(seen.outcome), {}};
    // Of an image that the model does not take nothing is known but its size.
    if (!returned) replay.problem = replays_.front().problem;
    replay.judged = judge_stages(model_.entry(), replay.problem, replay.outcome, subject_.info,
                                 {.threads = request_.threads, .one_run = true}, &subject_.ratios);
    if (replays_.empty() && !seen.unused.empty()) {
      report_.warnings.push_back(
          fmt::format("not judged: {}, of which the model makes nothing", fmt::join(seen.unused, ", ")));
    }
    record_replay(std::move(replay));
    if (returned) judge_executor(each.name, image, seen.returned);
  }

  /// Where the block's outputs are the model's, what the runtime makes of the graph.
  void judge_executor(const std::string& name, const Tensor& image,
                      const std::vector<std::optional<std::size_t>>& places) {
    if (!std::ranges::all_of(places, [](const auto& place) { return place.has_value(); })) return;
    const Replay& replay = replays_.back();
    Outcome outcome = module_.run(module_mode::kExecutor, {{"image", image}}, false);
    const std::vector<NamedTensor> own = std::exchange(outcome.outputs, {});
    for (std::size_t i = 0; i < places.size() && outcome.kind == Outcome::Kind::kReturned; ++i) {
      if (*places[i] >= own.size()) continue;
      const std::string& output = replay.outcome.outputs[i].name;
      outcome.outputs.push_back({output, model_.our_output(output, own[*places[i]].tensor)});
    }
    outcome.stages = replay.outcome.stages;
    judge_outputs(name, module_mode::kExecutor, std::move(outcome));
  }

  ReplaySource source_of(std::vector<NamedTensor> example) const {
    return {model_.block(),     model_.attributes(), model_.parameters(),        model_.dtype(),
            model_.input_set(), std::move(example),  model_.configured_extents()};
  }

  /// A row of an attention mask that is blocked throughout is a promise of its own, and rare: inputs that
  /// tend to it are tried for a while.
  void replay_blocked_rows(const ReplaySource& source, const ReplaySizes& base) {
    if (!has_operation(model_.block(), replays_.back().problem, "unblock_rows")) return;
    constexpr std::uint64_t kTries = 24;
    constexpr double kSeconds = 30;
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < kTries && watch.seconds() < kSeconds; ++i) {
      Replay tried =
          run_tapped("blocked_rows", base, uniform_case(source, base, request_.seed + 100 + i), nullptr);
      if (!tried.fails() && !blocks_a_row(model_.block(), tried)) continue;
      record_replay(std::move(tried));
      return;
    }
    report_.warnings.push_back(
        "no replay blocked a whole row of an attention mask: what the model does then was not seen");
  }

  /// Where ordinary cases show nothing: what fails there would fail here too, and hide why.
  void replay_hard_cases(const ReplaySource& source) {
    constexpr std::uint64_t kSeeds = 1000;  // of other replays
    if (model_.dtype() == DType::kFloat32 && replays_.front().outcome.kind == Outcome::Kind::kReturned) {
      record_replay(replay_in_float64(model_, module_, subject_.info, replays_.front(), request_.threads));
    }
    for (ReplayCase& each : hard_cases(model_.entry(), source, request_.seed + kSeeds, request_.threads)) {
      Replay replay = run_tapped(each.name, each.sizes, std::move(each.problem), &subject_.ratios);
      replay.what = std::move(each.what);
      record_replay(std::move(replay));
    }
  }

  /// The inputs of a file, and the outputs that are recorded with them.
  void replay_file(const std::filesystem::path& path) {
    try {
      const Recording recording =
          read_recording(read_safetensors(path), model_.block(), model_.names().layout(), model_.attributes(),
                         model_.parameters());
      const Case c = recorded_case(model_.block(), recording, model_.dtype());
      model_.block().validate(c);
      replay(path.stem().string(), sizes_of(source_of(c.inputs)), c);
      judge_recorded(path, recording);
      std::ranges::copy(recording.ignored, std::back_inserter(report_.ignored));
      std::ranges::copy(recording.read_as_int64, std::back_inserter(report_.read_as_int64));
    } catch (const InputError& error) {
      throw InputError(about(path, error));
    }
  }

  void judge_recorded(const std::filesystem::path& path, const Recording& recording) {
    for (const RecordedRun& run : recording.runs) {
      const Case c = recorded_case(model_.block(), recording, run.dtype);
      StagedComparison judged;
      judged.comparison = not_judged(run);
      if (judged.comparison.reason.empty()) {
        SubjectInfo framework;
        framework.precision.arithmetic = subject_.info.precision.arithmetic;
        judged = judge_stages(model_.entry(), c, run.outcome, framework,
                              {.threads = request_.threads, .one_run = true});
      }
      record(fmt::format("{}: {}", path.stem().string(), run.name), c, judged, [&](const Finding& finding) {
        const RecordedSource source{path, run.name, subject_.block, model_.names().layout()};
        return recorded_finding(source, finding, c, judged.comparison);
      });
    }
  }

  /// With a reason for runs that cannot be held against the block's definition.
  Comparison not_judged(const RecordedRun& run) const {
    Comparison comparison = unjudged(run);
    if (comparison.reason.empty() && run.dtype != DType::kFloat32 &&
        model_.names().layout() != Layout::kHuggingface) {
      comparison.reason = "the framework computes positions in float32, whatever the dtype";
    }
    return comparison;
  }

  /// The recorded graph in the plain interpreter, tapped.
  Replay run_tapped(const std::string& name, const ReplaySizes& sizes, Case c, RatioHistogram* ratios) {
    Outcome outcome = admit(subject_.info, model_.block(), c, 0);
    if (outcome.kind == Outcome::Kind::kReturned) {
      std::string refusal;
      outcome = run_graph(module_, model_, c, subject_.info, request_.threads, refusal);
      note_refusal(refusal);
    }
    seconds_ = std::max(seconds_, outcome.seconds);
    StagedComparison judged = judge_stages(model_.entry(), c, outcome, subject_.info,
                                           {.threads = request_.threads, .one_run = true}, ratios);
    return {name, sizes, std::move(c), std::move(outcome), std::move(judged)};
  }

  void note_refusal(const std::string& refusal) {
    if (refusal.empty() || noted_refusal_) return;
    report_.warnings.push_back(fmt::format(
        "the plain interpreter refuses the recorded graph ({}), the runtime's executor does not: its "
        "results are judged, and no stage is seen",
        refusal));
    noted_refusal_ = true;
  }

  void refuse_to_save_images() const {
    if (request_.image) throw InputError("check alone repeats what a whole model makes of an image");
  }

  void record_replay(Replay replay) {
    StagedComparison judged = replay.judged;
    record(replay.name, replay.problem, judged, [&](const Finding& finding) {
      if (model_.block().compute_dtype(replay.problem) != model_.dtype()) {
        throw InputError("check alone repeats the replay in float64");
      }
      refuse_to_save_images();
      return module_finding(request_, model_, module_mode::kInterpreter, finding, replay.problem,
                            judged.comparison);
    });
    replays_.push_back(std::move(replay));
  }

  /// In the plain interpreter; then what the runtime makes of the graph, the optimisations once.
  void replay(const std::string& name, const ReplaySizes& sizes, Case c) {
    record_replay(run_tapped(name, sizes, std::move(c), &subject_.ratios));
    const Outcome::Kind kind = replays_.back().outcome.kind;
    if (kind == Outcome::Kind::kUnsupported || kind == Outcome::Kind::kNotRun) return;
    for (const char* mode : module_.modes()) {
      const bool always = mode == std::string_view(module_mode::kExecutor);
      if (mode == std::string_view(module_mode::kInterpreter) || (!always && replays_.size() > 1)) continue;
      judge_mode(name, mode);
    }
  }

  /// The outputs of another mode, beside the stages of the interpreter's run of the same case.
  void judge_mode(const std::string& name, const char* mode) {
    const Replay& replay = replays_.back();
    judge_outputs(name, mode, run_mode(module_, model_, replay.problem, mode, replay.outcome));
  }

  void judge_outputs(const std::string& name, const char* mode, const Outcome& outcome) {
    const Replay& replay = replays_.back();
    const bool same = outcome.kind == Outcome::Kind::kReturned && outcome.outputs == replay.outcome.outputs;
    StagedComparison judged = same ? replay.judged
                                   : judge_stages(model_.entry(), replay.problem, outcome, subject_.info,
                                                  {.threads = request_.threads});
    judged.comparison.lost_worker = outcome.lost_worker;
    judged.stages.clear();  // those of the interpreter's run, which have their rows
    record(scenario_name(name, mode), replay.problem, judged, [&](const Finding& finding) {
      refuse_to_save_images();
      return module_finding(request_, model_, mode, finding, replay.problem, judged.comparison);
    });
  }

  /// `make` makes the case to save, where it is a finding.
  void record(const std::string& name, const Case& c, StagedComparison& judged,
              const std::function<SavedCase(const Finding&)>& make) {
    const Signature signature = signature_of(subject_.block, subject_.name, judged.comparison);
    add_scenario(name, judged, model_.names(), report_);
    count(subject_, judged.comparison);
    if (!is_finding(judged.comparison.verdict)) return;
    auto& findings = report_.session.findings;
    const auto known = std::ranges::find(findings, signature, &Finding::signature);
    if (known != findings.end()) {
      ++known->count;
    } else {
      const auto file = request_.findings / (finding_id(signature, "") + ".json");
      Finding& finding = findings.emplace_back(judged_finding(signature, c, judged.comparison, file));
      save_judged(finding, [&] { return make(finding); });
    }
  }

  void conclude() {
    // What positions alone make is reached by no input's values, and need not be.
    const Case& first = replays_.front().problem;
    if (std::ranges::none_of(model_.block().output_names(), [&](const std::string& output) {
          return follows_inputs(model_.block(), first, output);
        })) {
      std::erase_if(report_.audit,
                    [](const AuditFinding& each) { return each.kind == audit_kind::kOutputIgnoresInputs; });
    }
    find_cause_of_replays();
    if (report_.cause.empty() && !report_.session.findings.empty()) report_.cause = "unknown";
    report_.advice = advice_on(report_.cause, report_.first_diverging_stage);
    if (const std::string words = words_on_misbehaviour(replays_);
        report_.cause == "unknown" && !words.empty()) {
      report_.advice = {words};
    }
    if (!only_with_.empty()) {
      report_.advice.push_back(only_with_);
    } else if (report_.cause == "wrong_stage" || report_.cause == "unknown") {
      std::ranges::move(circumstances(replays_, model_.block()), std::back_inserter(report_.advice));
    }
    if (std::ranges::none_of(replays_, &Replay::fails) && !report_.session.findings.empty()) {
      report_.advice = {
          "The recorded graph agrees on every input. The outputs recorded in --inputs, or what the runtime's "
          "optimisation makes of the graph, are not what it computes: see the scenarios that fail."};
    } else if (std::ranges::all_of(replays_, &Replay::has_no_result)) {
      report_.advice.push_back(
          "No replay gave tensors of the block's shapes: if arguments or results are in another order, "
          "--input-order and --output-order say which.");
    }
    static const std::set<std::string> of_the_kernel{"outputs_ignore_inputs", "stale_constant"};
    if (!of_the_kernel.contains(report_.cause) || !may_be_the_kernel()) return;
    std::ranges::move(cures_for(request_, model_.entry(), replays_.front().problem, seconds_),
                      std::back_inserter(report_.advice));
  }

  /// What ordinary replays show comes first: where they agree, sizes and batch are no reason.
  void find_cause_of_replays() {
    std::vector<Replay> ordinary = replays_;
    std::erase_if(ordinary, [](const Replay& replay) { return !replay.what.empty(); });
    report_.cause = find_cause(ordinary, model_.block(), report_.audit);
    if (!report_.cause.empty()) return;
    std::vector<std::string> wrong_with;
    for (const Replay& replay : replays_) {
      if (replay.fails()) wrong_with.push_back(fmt::format("{} ({})", replay.what, replay.name));
    }
    if (wrong_with.empty()) return;
    report_.cause = "wrong_stage";
    only_with_ = fmt::format("Ordinary inputs agree; it is wrong with {}.", fmt::join(wrong_with, ", "));
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
        if (find_tensor(failing->outcome.stages, input.value) == nullptr) suspects.insert(input.value);
      }
    }
    return false;
  }

  const CheckRequest& request_;
  ExportedModule& module_;
  CheckedModel model_;
  RunReport& report_;
  SubjectReport& subject_;
  std::vector<Replay> replays_;
  bool noted_refusal_ = false;  ///< of the plain interpreter
  std::string only_with_;       ///< which replays fail, where no ordinary one does
  double seconds_ = 0;          ///< of the slowest call of the recorded graph
};

}  // namespace

void check_model(const CheckRequest& request, const BlockEntry& entry, ExportedModule& module,
                 RunReport& report) {
  ModelCheck(request, entry, module, report).run();
}

}  // namespace deformdiff
