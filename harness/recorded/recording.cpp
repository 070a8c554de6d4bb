#include "recorded/recording.h"

#include "blocks/layouts/inference.h"
#include "blocks/layouts/parameters.h"
#include "core/error.h"
#include "core/mixed_types.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

constexpr std::string_view kInput = "in.", kParameter = "param.", kOutput = "out.", kStage = "stage.";

/// How a name of the file says which tensor of ours it is. Where several do, the first of these wins.
enum class Way : std::uint8_t { kMapped, kPrefixed, kBare };
constexpr std::array kWays{Way::kMapped, Way::kPrefixed, Way::kBare};

/// A name of the file without its prefix, or what --map makes of it.
struct Meaning {
  std::string name;
  Way way;
};

struct OutputPlace {
  std::string tag;  ///< empty for the run without
  LayoutEntry entry;
  Way way;
};

std::string unreadable(const std::string& name, const std::string& dtype) {
  return fmt::format("tensor '{}' has dtype {}; it can be judged as F32, F64, F16, BF16, I64, BOOL or U8",
                     name, dtype);
}

std::string input_places(const std::string& name) {
  return fmt::format("'in.{0}' or '{0}'", name);
}

std::string output_places(const std::string& name) {
  return fmt::format("'out.TAG.{0}', 'out.{0}' or '{0}'", name);
}

/// What a run computed in: the dtype of its outputs; of the inputs where those say nothing.
DType dtype_of(const RecordedRun& run, const std::vector<NamedTensor>& inputs) {
  for (const auto* tensors : {&run.outcome.outputs, &inputs}) {
    for (const NamedTensor& tensor : *tensors) {
      if (is_floating(tensor.tensor.dtype())) return tensor.tensor.dtype();
    }
  }
  return DType::kFloat32;
}

/// Sorts a file's tensors by what they are.
class Reader {
 public:
  Reader(const SafetensorsFile& file, const BlockDefinition& block, Layout layout,
         std::map<std::string, std::string> mapping)
      : file_(file), block_(block), layout_(layout), mapping_(std::move(mapping)) {
    for (const auto& [ours, theirs] : mapping_) renamed_[theirs] = ours;
    guessing_ = std::ranges::any_of(block.tensors(block.default_attributes()), [](const TensorSpec& spec) {
      return spec.optional || spec.name.starts_with(kParameter);
    });
  }

  Recording read(const Attributes& configured, bool inputs_alone) {
    Recording recording;
    take_inputs(configured, recording);
    take_parameters(configured, recording.inputs);
    recording.attributes = complete_attributes(layout_, block_, recording.inputs, configured);
    const LayoutNames names(layout_, block_, recording.attributes);
    want_inputs(names, recording);
    take_runs(names, recording);
    if (recording.runs.empty() && !inputs_alone) {
      throw InputError(
          fmt::format("no output is recorded: {} wanted", output_places(block_.output_names().front())));
    }
    check_mapping(names);
    note_ignored(recording);
    return recording;
  }

  Recording read(const Attributes& attributes, const std::vector<NamedTensor>& parameters) {
    Recording recording;
    recording.attributes = attributes;
    take_inputs(attributes, recording);
    recording.inputs.insert(recording.inputs.end(), parameters.begin(), parameters.end());
    take_runs(LayoutNames(layout_, block_, attributes), recording);
    note_ignored(recording);
    return recording;
  }

 private:
  Meaning meaning_of(const std::string& name, std::string_view prefix) const {
    const bool prefixed = name.starts_with(prefix);
    const std::string rest = prefixed ? name.substr(prefix.size()) : name;
    for (const std::string& written : {name, rest}) {
      const auto renamed = renamed_.find(written);
      if (renamed == renamed_.end()) continue;
      const std::string& ours = renamed->second;
      return {ours.starts_with(prefix) ? ours.substr(prefix.size()) : ours, Way::kMapped};
    }
    return {rest, prefixed ? Way::kPrefixed : Way::kBare};
  }

  void take_inputs(const Attributes& configured, Recording& recording) {
    std::vector<NamedTensor>& inputs = recording.inputs;
    const LayoutNames names(layout_, block_, configured);
    std::set<std::string> given;
    for (const Way way : kWays) {
      for (const NamedTensor& tensor : file_.tensors) {
        const Meaning meaning = meaning_of(tensor.name, kInput);
        if (meaning.way != way) continue;
        const auto entry = names.input(meaning.name);
        if (!entry && way == Way::kPrefixed && guessing_) {
          throw InputError(fmt::format("'{}' is no input of block {}", tensor.name, block_.name()));
        }
        if (!entry || given.contains(entry->ours)) continue;
        used_.insert(tensor.name);
        inputs.push_back({entry->ours, to_ours(*entry, tensor.tensor, {})});
        if (file_.narrow.contains(tensor.name)) recording.read_as_int64.push_back(with_dtype(tensor.name));
      }
      // Twice in one way is for the block to refuse.
      for (const NamedTensor& input : inputs) given.insert(input.name);
    }
    for (const auto& [name, dtype] : file_.unreadable) {
      const auto entry = names.input(meaning_of(name, kInput).name);
      if (entry && !given.contains(entry->ours)) throw InputError(unreadable(name, dtype));
    }
    if (guessing_) derive_inputs(block_, inputs);
  }

  void take_parameters(const Attributes& configured, std::vector<NamedTensor>& inputs) {
    if (!guessing_) return;
    std::map<std::string, Tensor> theirs;
    for (const NamedTensor& tensor : file_.tensors) {
      if (!tensor.name.starts_with(kParameter)) continue;
      theirs.emplace(meaning_of(tensor.name, kParameter).name, tensor.tensor);
      used_.insert(tensor.name);
    }
    CanonicalParameters ours = canonical_parameters(layout_, block_, theirs, configured);
    std::ranges::move(ours.tensors, std::back_inserter(inputs));
  }

  void want_inputs(const LayoutNames& names, const Recording& recording) const {
    for (const TensorSpec& spec : block_.tensors(recording.attributes)) {
      if (spec.optional || spec.name.starts_with(kParameter) ||
          find_tensor(recording.inputs, spec.name) != nullptr)
        continue;
      std::string theirs = names.their_input(spec.name);
      for (const auto& [ours, mapped] : mapping_) {
        if (ours == spec.name || ours == std::string(kInput) + spec.name) theirs = mapped;
      }
      throw InputError(
          fmt::format("required tensor '{0}' is missing: {1} wanted; --map {0}=NAME gives it another name",
                      spec.name, input_places(theirs)));
    }
  }

  void take_runs(const LayoutNames& names, Recording& recording) {
    std::map<std::string, RecordedRun> runs;  // by tag
    take_outputs(names, runs);
    const auto add = [&](const std::string& tag, RecordedRun& run) {
      run.name = tag.empty() ? "recorded" : "recorded/" + tag;
      run.outcome.kind = Outcome::Kind::kReturned;
      if (run.unreadable.empty()) order_outputs(tag, run);
      run.dtype = dtype_of(run, recording.inputs);
      if (run.unreadable.empty()) take_stages(names, tag, recording, run);
      recording.runs.push_back(std::move(run));
    };
    auto untagged = runs.extract("");
    for (auto& [tag, run] : runs) add(tag, run);
    if (untagged) add("", untagged.mapped());
  }

  /// "out.TAG.NAME", "out.NAME" or a bare NAME; NAME and TAG possibly with dots: the longest NAME that is an
  /// output.
  std::optional<OutputPlace> output_place(const LayoutNames& names, const std::string& name) const {
    const std::string rest = name.starts_with(kOutput) ? name.substr(kOutput.size()) : "";
    for (std::size_t at = 0; at < rest.size();) {
      const Meaning meaning = meaning_of(std::string(kOutput) + rest.substr(at), kOutput);
      if (const auto entry = names.output(meaning.name)) {
        return OutputPlace{at == 0 ? "" : rest.substr(0, at - 1), *entry, meaning.way};
      }
      at = std::min(rest.find('.', at), rest.size() - 1) + 1;
    }
    const Meaning meaning = meaning_of(name, kOutput);
    const auto entry = rest.empty() && !used_.contains(name) ? names.output(meaning.name) : std::nullopt;
    return entry ? std::optional(OutputPlace{"", *entry, meaning.way}) : std::nullopt;
  }

  void take_outputs(const LayoutNames& names, std::map<std::string, RecordedRun>& runs) {
    for (const Way way : kWays) {
      for (const NamedTensor& tensor : file_.tensors) {
        const auto place = output_place(names, tensor.name);
        if (!place || place->way != way || file_.narrow.contains(tensor.name)) continue;
        std::vector<NamedTensor>& outputs = runs[place->tag].outcome.outputs;
        if (find_tensor(outputs, place->entry.ours) != nullptr) continue;
        used_.insert(tensor.name);
        outputs.push_back({place->entry.ours, to_ours(place->entry, tensor.tensor, {})});
      }
    }
    for (const auto* tensors : {&file_.unreadable, &file_.narrow}) {
      for (const auto& [name, dtype] : *tensors) {
        const auto place = output_place(names, name);
        if (!place) continue;
        RecordedRun& run = runs[place->tag];
        if (find_tensor(run.outcome.outputs, place->entry.ours) != nullptr) continue;
        if (run.unreadable.empty()) run.unreadable = unreadable(name, dtype);
        used_.insert(name);
      }
    }
  }

  /// In the block's order; all of them must be there.
  void order_outputs(const std::string& tag, RecordedRun& run) const {
    std::vector<NamedTensor> ordered;
    for (const std::string& name : block_.output_names()) {
      const Tensor* found = find_tensor(run.outcome.outputs, name);
      if (found == nullptr) {
        throw InputError(
            fmt::format("required tensor 'out.{}{}{}' is missing", tag, tag.empty() ? "" : ".", name));
      }
      ordered.push_back({name, *found});
    }
    run.outcome.outputs = std::move(ordered);
  }

  /// Stages come in the block's shapes, which need the case.
  void take_stages(const LayoutNames& names, const std::string& tag, const Recording& recording,
                   RecordedRun& run) {
    const Case c = recorded_case(block_, recording, run.dtype);
    block_.validate(c);
    for (const OutputSpec& value : block_.stage_values(c)) stages_.insert_or_assign(value.name, value.shape);
    const std::string prefix = std::string(kStage) + (tag.empty() ? "" : tag + ".");
    for (const NamedTensor& tensor : file_.tensors) {
      if (!tensor.name.starts_with(prefix)) continue;
      for (const LayoutEntry& entry : names.stages(meaning_of(tensor.name, prefix).name)) {
        const auto shape = stages_.find(entry.ours);
        if (shape == stages_.end()) continue;
        used_.insert(tensor.name);
        if (find_tensor(run.outcome.stages, entry.ours) == nullptr)
          run.outcome.stages.push_back({entry.ours, to_ours(entry, tensor.tensor, shape->second)});
      }
    }
  }

  /// Where a tensor of ours may stand in the file as `theirs`; empty if the block has no such tensor.
  std::string places_of(const LayoutNames& names, std::string ours, const std::string& theirs) const {
    for (const std::string_view prefix : {kInput, kParameter, kOutput, kStage}) {
      if (ours.starts_with(prefix)) ours.erase(0, prefix.size());
    }
    if (names.input(ours)) return input_places(theirs);
    if (names.output(ours)) return output_places(theirs);
    if (!names.parameters(ours).empty()) return fmt::format("'param.{}'", theirs);
    const bool is_stage = std::ranges::any_of(
        names.stages(ours), [&](const LayoutEntry& entry) { return stages_.contains(entry.ours); });
    return is_stage ? fmt::format("'stage.TAG.{0}' or 'stage.{0}'", theirs) : "";
  }

  std::string known() const {
    return fmt::format("{} {}", fmt::join(block_.inputs(), " "), fmt::join(block_.output_names(), " "));
  }

  /// Each --map must have named a tensor of the file for one of the block.
  void check_mapping(const LayoutNames& names) const {
    for (const auto& [ours, theirs] : mapping_) {
      const auto is_theirs = [&wanted = theirs](const std::string& name) {
        return name == wanted || name.ends_with("." + wanted);
      };
      if (std::ranges::any_of(used_, is_theirs)) continue;
      std::string why;
      const std::string places = places_of(names, ours, theirs);
      if (std::ranges::any_of(file_.tensors, is_theirs, &NamedTensor::name)) {
        why = fmt::format("block {} has no '{}'; it has: {}", block_.name(), ours, known());
      } else if (places.empty()) {
        why = fmt::format("the file has no tensor '{}' and block {} no tensor '{}'; it has: {}", theirs,
                          block_.name(), ours, known());
      } else {
        why = fmt::format("the file has no tensor '{}': {} wanted", theirs, places);
      }
      throw InputError(fmt::format("--map {}={}: {}", ours, theirs, why));
    }
  }

  void note_ignored(Recording& recording) const {
    for (const NamedTensor& tensor : file_.tensors) {
      if (!used_.contains(tensor.name)) recording.ignored.push_back(with_dtype(tensor.name));
    }
    for (const auto& [name, dtype] : file_.unreadable) {
      if (!used_.contains(name)) recording.ignored.push_back(with_dtype(name));
    }
  }

  /// The name of a tensor of the file, with its dtype where that is none of ours.
  std::string with_dtype(const std::string& name) const {
    for (const auto* tensors : {&file_.unreadable, &file_.narrow}) {
      if (const auto found = tensors->find(name); found != tensors->end())
        return fmt::format("{} ({})", name, found->second);
    }
    return name;
  }

  const SafetensorsFile& file_;
  const BlockDefinition& block_;
  Layout layout_;
  std::map<std::string, std::string> mapping_;  ///< our names to the file's
  std::map<std::string, std::string> renamed_;  ///< and back
  std::set<std::string> used_;
  std::map<std::string, Shape> stages_;  ///< of the last run
  /// Tensors may be left out or have names of any kind: what follows from others is derived, and a name that
  /// is not known may be a misspelt one. Of the operator every tensor must be there, and what has another
  /// name was never meant for one: a gradient, say.
  bool guessing_ = false;
};

}  // namespace

Recording read_recording(const SafetensorsFile& file, const BlockDefinition& block, Layout layout,
                         const RecordingOptions& options) {
  return Reader(file, block, layout, options.mapping)
      .read(configured_attributes(options, file, layout, block), options.inputs_alone);
}

Recording read_recording(SafetensorsFile file, const BlockDefinition& block, Layout layout,
                         const Attributes& attributes, const std::vector<NamedTensor>& parameters,
                         const std::map<std::string, std::string>& mapping) {
  std::erase_if(file.tensors, [](const NamedTensor& tensor) { return is_parameter(tensor.name); });
  return Reader(file, block, layout, mapping).read(attributes, parameters);
}

namespace {

/// Whether the types that the file has are those of the run: half value beside float32 locations, half
/// weights beside float32 norms. Half inputs of a model stored in float32 are not: it was run in half.
bool is_of_mixed_types(const Case& c, DType dtype) {
  Case parameters;
  std::ranges::copy_if(c.inputs, std::back_inserter(parameters.inputs),
                       [](const NamedTensor& input) { return is_parameter(input.name); });
  return mixed_dtype(parameters.inputs.empty() ? c : parameters) == dtype;
}

}  // namespace

DType case_dtype(const RecordedRun& run, const Precision& precision) {
  return precision.autocast == Autocast::kNone ? run.dtype : DType::kFloat32;
}

Case recorded_case(const BlockDefinition& block, const Recording& recording, DType dtype) {
  Case c;
  c.block = block.name();
  c.attributes = recording.attributes;
  c.inputs = recording.inputs;
  c.provenance.generator = "recorded";
  if (is_of_mixed_types(c, dtype)) return c;
  return block.converted(std::move(c), dtype);
}

}  // namespace deformdiff
