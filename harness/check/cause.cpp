#include "check/cause.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

bool has_audit(const std::vector<AuditFinding>& audit, std::string_view kind) {
  return std::ranges::any_of(audit, [&](const AuditFinding& each) { return each.kind == kind; });
}

/// The value of the stage, or output, that is at fault; null if it was not seen.
const Tensor* value_at_fault(const Replay& replay) {
  const std::string& stage = replay.judged.comparison.output;
  for (const auto* tensors : {&replay.outcome.stages, &replay.outcome.outputs}) {
    if (const Tensor* found = find_tensor(*tensors, stage)) return found;
  }
  return nullptr;
}

bool is_zero(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return std::ranges::all_of(dense.storage(), [](std::byte each) { return each == std::byte{0}; });
}

/// The value at fault is the same for other inputs of the same sizes, and should not be.
const Tensor* unchanging_value(const std::vector<Replay>& replays, const BlockDefinition& block) {
  for (const Replay& a : replays) {
    for (const Replay& b : replays) {
      if (&a == &b || !(a.sizes == b.sizes) || !a.fails() || !b.fails()) continue;
      if (a.judged.comparison.output != b.judged.comparison.output) continue;
      const Tensor* of_a = value_at_fault(a);
      const Tensor* of_b = value_at_fault(b);
      const bool same = of_a != nullptr && of_b != nullptr && of_a->elements() > 0 && *of_a == *of_b;
      // NaNs are all alike.
      if (same && a.judged.comparison.verdict == Verdict::kNonfiniteMismatch) continue;
      if (same && follows_inputs(block, a.problem, a.judged.comparison.output)) return of_a;
    }
  }
  return nullptr;
}

/// Every replay that fails differs from the first, which has the sizes of the trace or of the user's inputs,
/// as `differ` says: what is baked is right there. None has the sizes of one that passes: then sizes are not
/// the reason.
template <typename Differ>
bool only_with(const std::vector<Replay>& replays, Differ differ) {
  const ReplaySizes& traced = replays.front().sizes;
  return std::ranges::all_of(replays, [&](const Replay& failing) {
    if (!failing.fails()) return true;
    return differ(traced, failing.sizes) && std::ranges::all_of(replays, [&](const Replay& other) {
             return other.fails() || !(other.sizes == failing.sizes);
           });
  });
}

/// Other maps, or other queries.
bool other_shape(const ReplaySizes& a, const ReplaySizes& b) {
  return a.levels != b.levels || !(a.finest == b.finest) || a.queries != b.queries;
}

bool other_batch_alone(const ReplaySizes& a, const ReplaySizes& b) {
  return !other_shape(a, b) && a.batch != b.batch;
}

/// What is baked is right at the sizes of the trace and wrong, or an error, at others, and stands in the
/// graph; empty if that is not what the replays show.
std::string baked_cause(const std::vector<Replay>& replays, const std::vector<AuditFinding>& audit) {
  const bool batch = has_audit(audit, audit_kind::kBakedBatch),
             shape = has_audit(audit, audit_kind::kBakedShape);
  if (batch && only_with(replays, other_batch_alone)) return "baked_batch";
  const auto by_either = [&](const ReplaySizes& a, const ReplaySizes& b) {
    return other_shape(a, b) || (batch && other_batch_alone(a, b));
  };
  return shape && only_with(replays, by_either) ? "baked_shape" : "";
}

/// Whether inputs of the traced sizes fail as others do. The first replay may hold the traced values
/// themselves, for which a lost result is right.
bool is_wrong_at_all_sizes(const std::vector<Replay>& replays) {
  std::ptrdiff_t failing = 0, passing = 0;
  for (const Replay& replay : replays) {
    if (replay.sizes == replays.front().sizes) ++(replay.fails() ? failing : passing);
  }
  return failing > passing;
}

constexpr std::array<Cause, 9> kCauses{{
    {"outputs_ignore_inputs",
     "The kernel ran outside PyTorch's dispatcher while the model was traced: the tracer saw where its "
     "result was allocated, not what was written there, and the graph holds zeros in its place."},
    {"stale_constant",
     "A result was computed in memory that the tracer did not know: the graph holds the values of the traced "
     "example as a constant and gives them for every input."},
    {"baked_shape",
     "Sizes of the traced example are constants in the graph: other sizes give wrong numbers or an error. "
     "Compute them in forward from the inputs' shapes (tensor.shape, torch._shape_as_tensor) and export "
     "again."},
    {"baked_batch",
     "The traced batch is a constant in the graph: a larger batch is cut or fails. Replace loops over the "
     "batch, and sizes read as Python integers, and export again."},
    {"baked_device",
     "A device of the tracing machine is a constant in the graph: the model runs on no other."},
    {"wrong_stage",
     "Nothing in the graph explains it: the named stage, or what it is computed from and was not seen, is "
     "something else than the block's "
     "definition. If --config or --layout do not describe this model, that is the reason."},
    {"training_mode",
     "The model was exported in training mode: dropout or batch statistics change its results. Call eval() "
     "before exporting."},
    {"unsupported_operator",
     "The graph uses an operator that is not registered here: load its library first."},
    {"unknown", "The graph gives no hint, and no replay showed a stage that is at fault."},
}};

}  // namespace

bool follows_inputs(const BlockDefinition& block, const Case& c, const std::string& stage_or_output) {
  std::set<std::string> sources{stage_or_output};
  for (const OutputSpec& output : block.outputs(c)) {
    if (output.name == stage_or_output) sources.insert(output.stage);
  }
  const std::vector<Stage> stages = block.stages(c);
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
    if (!sources.contains(stage->name)) continue;
    for (const StageInput& input : stage->inputs) sources.insert(input.value);
  }
  return std::ranges::any_of(c.inputs, [&](const NamedTensor& input) {
    return !is_parameter(input.name) && input.tensor.dtype() != DType::kInt64 && sources.contains(input.name);
  });
}

std::string cause_of_graph(const std::vector<AuditFinding>& audit) {
  // A constant in place of a result is also one that no input reaches: it comes first.
  constexpr std::array<std::pair<const char*, const char*>, 7> kSuggested{{
      {audit_kind::kUnsupportedOperator, "unsupported_operator"},
      {audit_kind::kTrainingMode, "training_mode"},
      {audit_kind::kLargeConstant, "stale_constant"},
      {audit_kind::kOutputIgnoresInputs, "outputs_ignore_inputs"},
      {audit_kind::kBakedShape, "baked_shape"},
      {audit_kind::kBakedBatch, "baked_batch"},
      {audit_kind::kBakedDevice, "baked_device"},
  }};
  for (const auto& [kind, cause] : kSuggested) {
    if (has_audit(audit, kind)) return cause;
  }
  return "";
}

std::string find_cause(const std::vector<Replay>& replays, const BlockDefinition& block,
                       const std::vector<AuditFinding>& audit) {
  if (has_audit(audit, audit_kind::kUnsupportedOperator)) return "unsupported_operator";
  if (std::ranges::none_of(replays, &Replay::fails)) return "";
  const bool constant = has_audit(audit, audit_kind::kLargeConstant),
             dead_end = has_audit(audit, audit_kind::kOutputIgnoresInputs);
  if (const Tensor* value = unchanging_value(replays, block)) {
    if (dead_end && (is_zero(*value) || !constant)) return "outputs_ignore_inputs";
    if (constant) return "stale_constant";
  }
  if (has_audit(audit, audit_kind::kTrainingMode)) return "training_mode";
  if (const std::string cause = baked_cause(replays, audit); !cause.empty()) return cause;
  if (!words_on_misbehaviour(replays).empty()) return "unknown";
  // Without that, what the graph shows has to explain that nothing is right.
  if (is_wrong_at_all_sizes(replays)) {
    if (const std::string cause = cause_of_graph(audit); !cause.empty()) return cause;
  }
  const bool named = std::ranges::any_of(
      replays, [](const Replay& replay) { return replay.fails() && !replay.judged.stages.empty(); });
  return named ? "wrong_stage" : "unknown";
}

std::span<const Cause> causes() {
  return kCauses;
}

std::string words_on_misbehaviour(const std::vector<Replay>& replays) {
  const auto first = std::ranges::find_if(replays, &Replay::fails);
  if (first == replays.end()) return "";
  const Comparison& found = first->judged.comparison;
  switch (found.verdict) {
    case Verdict::kModifiedInput:
      return fmt::format(
          "The model writes into {}, which its caller still owns: an operation in place on it, or on a view "
          "of "
          "it, was recorded. Clone it first, and export again.",
          found.output == "earlier output" ? "a result that it returned earlier"
                                           : "its input " + found.output);
    case Verdict::kOverranBuffer:
      return fmt::format("An operator of the model writes outside its memory: {}.", found.reason);
    case Verdict::kUnwrittenOutput:
      return fmt::format("An operator of the model returns memory that it did not fill: {}.", found.reason);
    case Verdict::kCrashed:
      return fmt::format("The model takes its process down: {}.", found.reason);
    case Verdict::kTimedOut:
      return "The model does not come back in time.";
    default:
      return "";
  }
}

std::vector<std::string> advice_on(const std::string& cause, const std::string& first_diverging_stage) {
  const auto known = std::ranges::find(kCauses, cause, &Cause::name);
  if (known == kCauses.end()) return {};
  std::vector<std::string> lines{std::string(known->explanation)};
  if (!first_diverging_stage.empty())
    lines.push_back(fmt::format("It shows first in {}.", first_diverging_stage));
  return lines;
}

}  // namespace deformdiff
