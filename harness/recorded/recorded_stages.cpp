#include "recorded/recorded_stages.h"

#include "blocks/attribute_rules.h"
#include "blocks/layouts/configuration.h"
#include "blocks/layouts/inference.h"
#include "blocks/layouts/parameters.h"
#include "core/error.h"
#include "core/files.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

constexpr std::string_view kInput = "in.", kParameter = "param.", kOutput = "out.", kStage = "stage.";

/// Sorts a file's tensors by what they are.
class Sorter {
 public:
  Sorter(const SafetensorsFile& file, const BlockDefinition& block, Layout layout, const Options& options)
      : file_(file), block_(block), layout_(layout), options_(options) {
    for (const auto& [ours, theirs] : options.mapping) renamed_[theirs] = ours;
  }

  StagedRecording sort() {
    const Attributes configured = configured_attributes(options_, file_, layout_, block_);
    StagedRecording recording;
    take_inputs(configured, recording.inputs);
    take_parameters(configured, recording.inputs);
    recording.attributes = complete_attributes(layout_, block_, recording.inputs, configured);
    take_runs(recording);
    if (recording.runs.empty()) {
      throw InputError(fmt::format("no output is recorded: 'out.TAG.{0}', 'out.{0}' or '{0}' wanted",
                                   block_.output_names().front()));
    }
    check_mapping();
    note_ignored(recording);
    return recording;
  }

  StagedRecording sort(const Attributes& attributes, const std::vector<NamedTensor>& parameters) {
    StagedRecording recording;
    recording.attributes = attributes;
    take_inputs(attributes, recording.inputs);
    recording.inputs.insert(recording.inputs.end(), parameters.begin(), parameters.end());
    take_runs(recording);
    note_ignored(recording);
    return recording;
  }

 private:
  /// Each --map must have named a tensor of the file for one of the block.
  void check_mapping() const {
    for (const auto& [theirs, ours] : renamed_) {
      bool in_file = false, used = false;
      for (const NamedTensor& tensor : file_.tensors) {
        if (tensor.name != theirs && !tensor.name.ends_with("." + theirs)) continue;
        in_file = true;
        used = used || used_.contains(tensor.name);
      }
      const std::string mapping = fmt::format("--map {}={}", ours, theirs);
      if (!in_file) throw InputError(fmt::format("{}: the file has no tensor '{}'", mapping, theirs));
      if (!used) throw InputError(fmt::format("{}: block {} has no '{}'", mapping, block_.name(), ours));
    }
  }

  void note_ignored(StagedRecording& recording) const {
    for (const NamedTensor& tensor : file_.tensors) {
      if (!used_.contains(tensor.name)) recording.ignored.push_back(tensor.name);
    }
    for (const auto& [name, dtype] : file_.unreadable) {
      recording.ignored.push_back(fmt::format("{} ({})", name, dtype));
    }
  }

  /// The name behind the prefix, or what --map makes of it.
  std::string unprefixed(const std::string& name, std::string_view prefix) const {
    for (const std::string& written : {name, name.substr(prefix.size())}) {
      const auto renamed = renamed_.find(written);
      if (renamed == renamed_.end()) continue;
      const std::string& ours = renamed->second;
      return ours.starts_with(prefix) ? ours.substr(prefix.size()) : ours;
    }
    return name.substr(prefix.size());
  }

  void take_inputs(const Attributes& configured, std::vector<NamedTensor>& inputs) {
    const LayoutNames names(layout_, block_, completed(configured));
    for (const NamedTensor& tensor : file_.tensors) {
      const bool prefixed = tensor.name.starts_with(kInput);
      // A bare name is an input's only if nothing else claims it.
      if (!prefixed && tensor.name.find('.') != std::string::npos && !tensor.name.starts_with("features.") &&
          !tensor.name.starts_with("multi_scale_features.")) {
        continue;
      }
      const std::string theirs = unprefixed(tensor.name, prefixed ? kInput : std::string_view());
      const auto entry = names.input(theirs);
      if (!entry) {
        if (prefixed)
          throw InputError(fmt::format("'{}' is no input of block {}", tensor.name, block_.name()));
        continue;
      }
      used_.insert(tensor.name);
      inputs.push_back({entry->ours, to_ours(*entry, tensor.tensor, {})});
    }
    derive_inputs(block_, inputs);
  }

  void take_parameters(const Attributes& configured, std::vector<NamedTensor>& inputs) {
    std::map<std::string, Tensor> theirs;
    for (const NamedTensor& tensor : file_.tensors) {
      if (!tensor.name.starts_with(kParameter)) continue;
      theirs.emplace(unprefixed(tensor.name, kParameter), tensor.tensor);
      used_.insert(tensor.name);
    }
    CanonicalParameters ours = canonical_parameters(layout_, block_, theirs, configured);
    std::ranges::move(ours.tensors, std::back_inserter(inputs));
  }

  /// With the defaults for what the configuration leaves open: enough to know names.
  Attributes completed(const Attributes& configured) const {
    Attributes all = block_.default_attributes();
    for (const auto& [name, value] : configured) all[name] = value;
    return all;
  }

  void take_runs(StagedRecording& recording) {
    const LayoutNames names(layout_, block_, recording.attributes);
    std::map<std::string, RecordedStages> runs;  // by tag; "" for the run without
    for (const NamedTensor& tensor : file_.tensors) {
      if (tensor.name.starts_with(kOutput)) take_output(names, tensor, runs);
    }
    if (runs.empty()) take_bare_outputs(names, runs);
    // Stages come in the block's shapes, which need the case.
    for (auto& [tag, run] : runs) {
      run.name = tag.empty() ? "recorded" : "recorded/" + tag;
      run.outcome.kind = Outcome::Kind::kReturned;
      order_outputs(tag, run);
      run.dtype = dtype_of_run(run, recording);
      if (run.dtype == DType::kFloat32 || run.dtype == DType::kFloat64)
        take_stages(names, tag, recording, run);
      recording.runs.push_back(std::move(run));
    }
  }

  /// "out.TAG.NAME" or "out.NAME", NAME possibly with dots: the longest that is an output.
  void take_output(const LayoutNames& names, const NamedTensor& tensor,
                   std::map<std::string, RecordedStages>& runs) {
    const std::string rest = tensor.name.substr(kOutput.size());
    for (std::size_t at = 0; at != std::string::npos;) {
      const std::string tag = at == 0 ? "" : rest.substr(0, at - 1);
      const auto entry = names.output(unprefixed(rest.substr(at), ""));
      if (entry) {
        used_.insert(tensor.name);
        runs[tag].outcome.outputs.push_back({entry->ours, to_ours(*entry, tensor.tensor, {})});
        return;
      }
      at = rest.find('.', at);
      if (at != std::string::npos) ++at;
    }
  }

  void take_bare_outputs(const LayoutNames& names, std::map<std::string, RecordedStages>& runs) {
    for (const NamedTensor& tensor : file_.tensors) {
      if (used_.contains(tensor.name)) continue;
      const auto entry = names.output(unprefixed(tensor.name, ""));
      if (!entry) continue;
      used_.insert(tensor.name);
      runs[""].outcome.outputs.push_back({entry->ours, to_ours(*entry, tensor.tensor, {})});
    }
  }

  /// In the block's order; all of them must be there.
  void order_outputs(const std::string& tag, RecordedStages& run) const {
    std::vector<NamedTensor> ordered;
    for (const std::string& name : block_.output_names()) {
      const auto found = std::ranges::find(run.outcome.outputs, name, &NamedTensor::name);
      if (found == run.outcome.outputs.end()) {
        throw InputError(
            fmt::format("required tensor 'out.{}{}{}' is missing", tag, tag.empty() ? "" : ".", name));
      }
      ordered.push_back(*found);
    }
    run.outcome.outputs = std::move(ordered);
  }

  static DType dtype_of_run(const RecordedStages& run, const StagedRecording& recording) {
    for (const auto* tensors : {&run.outcome.outputs, &recording.inputs}) {
      for (const NamedTensor& tensor : *tensors) {
        if (is_floating(tensor.tensor.dtype())) return tensor.tensor.dtype();
      }
    }
    return DType::kFloat32;
  }

  void take_stages(const LayoutNames& names, const std::string& tag, const StagedRecording& recording,
                   RecordedStages& run) {
    const Case c = staged_case(block_, recording, run.dtype);
    block_.validate(c);
    std::map<std::string, Shape> shapes;
    for (const OutputSpec& value : block_.stage_values(c)) shapes.emplace(value.name, value.shape);
    const std::string prefix = std::string(kStage) + (tag.empty() ? "" : tag + ".");
    for (const NamedTensor& tensor : file_.tensors) {
      if (!tensor.name.starts_with(prefix)) continue;
      for (const LayoutEntry& entry : names.stages(unprefixed(tensor.name, prefix))) {
        const auto shape = shapes.find(entry.ours);
        if (shape == shapes.end()) continue;
        used_.insert(tensor.name);
        const bool known =
            std::ranges::find(run.outcome.stages, entry.ours, &NamedTensor::name) != run.outcome.stages.end();
        if (!known) run.outcome.stages.push_back({entry.ours, to_ours(entry, tensor.tensor, shape->second)});
      }
    }
  }

  const SafetensorsFile& file_;
  const BlockDefinition& block_;
  Layout layout_;
  const Options& options_;
  std::map<std::string, std::string> renamed_;  ///< the file's names to ours, by --map
  std::set<std::string> used_;
};

/// Numbers out of range are refused before names are made of them.
Attributes checked_attributes(Layout layout, const BlockDefinition& block, const Json& config) {
  Attributes configured = attributes_from_config(layout, block, config);
  Attributes all = block.default_attributes();
  for (const auto& [name, value] : configured) all[name] = value;
  check_attributes(block, all);
  return configured;
}

}  // namespace

Layout layout_of(const Options& options, const SafetensorsFile& file) {
  const auto named = file.metadata.find("layout");
  const std::string name = !options.layout.empty()        ? options.layout
                           : named != file.metadata.end() ? named->second
                                                          : "huggingface";
  const auto layout = layout_from_name(name);
  if (!layout) throw InputError(fmt::format("layout '{}': huggingface, mmdet or facebook wanted", name));
  return *layout;
}

Attributes configured_attributes(const Options& options, const SafetensorsFile& file, Layout layout,
                                 const BlockDefinition& block) {
  if (!options.config.empty()) {
    const std::string name = options.config.string();
    const Json config = parse_strict_json(read_file(options.config), name);
    try {
      return checked_attributes(layout, block, config);
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}: {}", name, error.what()));
    }
  }
  const auto found = file.metadata.find("config");
  if (found == file.metadata.end()) return {};
  return checked_attributes(layout, block, parse_strict_json(found->second, "metadata 'config'"));
}

Attributes complete_attributes(Layout layout, const BlockDefinition& block,
                               const std::vector<NamedTensor>& inputs, const Attributes& configured) {
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& input : inputs) shapes.emplace(input.name, input.tensor.shape());
  Inference inference = infer_attributes(layout, block, shapes, configured);
  if (!inference.unknown.empty()) {
    throw InputError(fmt::format(
        "block {}: the configuration does not say, and no shape tells: {}; give them in --config FILE.json",
        block.name(), fmt::join(inference.unknown, ", ")));
  }
  return std::move(inference.attributes);
}

StagedRecording take_apart_stages(const SafetensorsFile& file, const BlockDefinition& block, Layout layout,
                                  const Options& options) {
  return Sorter(file, block, layout, options).sort();
}

StagedRecording take_apart_stages(const SafetensorsFile& file, const BlockDefinition& block, Layout layout,
                                  const Options& options, const Attributes& attributes,
                                  const std::vector<NamedTensor>& parameters) {
  return Sorter(file, block, layout, options).sort(attributes, parameters);
}

Case staged_case(const BlockDefinition& block, const StagedRecording& recording, DType dtype) {
  Case c;
  c.block = block.name();
  c.attributes = recording.attributes;
  if (c.attributes.contains("bits")) c.attributes["bits"] = static_cast<double>(8 * size_of(dtype));
  for (const NamedTensor& input : recording.inputs) {
    const bool converts = is_floating(input.tensor.dtype()) && input.tensor.dtype() != dtype;
    c.inputs.push_back({input.name, converts ? convert(input.tensor, dtype) : input.tensor});
  }
  c.provenance.generator = "recorded";
  return c;
}

}  // namespace deformdiff::cli
