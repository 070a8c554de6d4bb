#include "check/checked_model.h"

#include "blocks/block_list.h"
#include "blocks/extents.h"
#include "blocks/layouts/inference.h"
#include "core/error.h"
#include "core/safetensors.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

bool is_onnx(const std::filesystem::path& model) {
  return model.extension() == ".onnx";
}

/// What the module computes in: the dtype of its own parameters, or of the first --inputs where it has none,
/// or float32.
DType dtype_of(const CheckRequest& request, const ModuleDescription& description) {
  const auto floating = [](const std::vector<NamedTensor>& tensors) {
    return std::ranges::find_if(tensors,
                                [](const NamedTensor& each) { return is_floating(each.tensor.dtype()); });
  };
  if (const auto own = floating(description.parameters); own != description.parameters.end())
    return own->tensor.dtype();
  if (request.inputs.empty()) return DType::kFloat32;
  const std::vector<NamedTensor> given = read_safetensors(request.inputs.front()).tensors;
  const auto first = floating(given);
  return first == given.end() ? DType::kFloat32 : first->tensor.dtype();
}

/// A parameter of a file in the module's dtype, which must hold its numbers.
Tensor in_dtype(const std::string& name, const Tensor& parameter, DType dtype) {
  if (!is_floating(dtype) || !is_floating(parameter.dtype()) || parameter.dtype() == dtype) return parameter;
  const Tensor converted = convert(parameter, dtype);
  for (std::int64_t i = 0; i < parameter.elements(); ++i) {
    const double was = parameter.element(i), is = converted.element(i);
    if (was == is || (std::isnan(was) && std::isnan(is))) continue;
    throw InputError(fmt::format("parameter {}: {:.17g} is no {}, which is what the module computes in", name,
                                 was, name_of(dtype)));
  }
  return converted;
}

/// Parameters under the framework's names: of the file that --params names, or the module's own.
std::map<std::string, Tensor> their_parameters(const CheckRequest& request,
                                               const ModuleDescription& description, DType dtype) {
  std::map<std::string, Tensor> parameters;
  if (request.parameters.empty()) {
    for (const NamedTensor& parameter : description.parameters)
      parameters.emplace(parameter.name, parameter.tensor);
    return parameters;
  }
  for (const NamedTensor& tensor : read_safetensors(request.parameters).tensors) {
    const bool prefixed = is_parameter(tensor.name);
    const std::string name = prefixed ? tensor.name.substr(kParameterPrefix.size()) : tensor.name;
    parameters.emplace(name, in_dtype(name, tensor.tensor, dtype));
  }
  return parameters;
}

CanonicalParameters ours(const CheckRequest& request, const BlockDefinition& block,
                         const ModuleDescription& description, DType dtype, Layout layout,
                         const Attributes& configured) {
  std::map<std::string, Tensor> theirs = their_parameters(request, description, dtype);
  if (request.image) theirs = parameters_in_model(layout, block, theirs, configured);
  const std::vector<TensorSpec> tensors = block.tensors(block.default_attributes());
  if (theirs.empty() && std::ranges::any_of(tensors, &TensorSpec::is_parameter)) {
    throw InputError(
        "the module holds no parameters: it was frozen; give them in --params FILE.safetensors, or check it "
        "before torch.jit.freeze");
  }
  try {
    return canonical_parameters(layout, block, theirs, configured);
  } catch (const InputError& error) {
    // A whole model may hold parts that its forward does not use.
    if (!description.unread.empty() && request.parameters.empty()) {
      for (const std::string& name : description.unread) theirs.erase(name);
      try {
        return canonical_parameters(layout, block, theirs, configured);
      } catch (const InputError&) {
        // What is wrong with all of them says more.
      }
    }
    throw InputError(
        fmt::format("{} (another --block, --layout or --params FILE.safetensors?{})", error.what(),
                    is_onnx(request.model) ? " Exporters to ONNX leave out and rename parameters" : ""));
  }
}

/// What --input-order or --output-order say, in our names.
template <typename Lookup>
std::vector<std::string> named_order(const std::vector<std::string>& typed, const char* flag, Lookup lookup,
                                     const std::vector<std::string>& known) {
  std::vector<std::string> order;
  for (const std::string& name : typed) {
    const auto entry = lookup(name);
    if (!entry) {
      throw InputError(
          fmt::format("{}: the block has no '{}'; it has {}", flag, name, fmt::join(known, ", ")));
    }
    if (std::ranges::find(order, entry->ours) != order.end()) {
      throw InputError(fmt::format("{}: '{}' is there twice", flag, name));
    }
    order.push_back(entry->ours);
  }
  return order;
}

/// The entry under which `ours` stands in the layout, or ours alone.
LayoutEntry as_theirs(const std::string& ours, const std::optional<LayoutEntry>& entry) {
  return entry && entry->ours == ours ? *entry : LayoutEntry{ours, ours};
}

}  // namespace

CheckedModel::CheckedModel(const CheckRequest& request, const BlockEntry& entry,
                           const ModuleDescription& description)
    : CheckedModel(request, entry, description, layout_of(request.options, {}),
                   !request.attributes.empty()
                       ? request.attributes
                       : configured_attributes(request.options, {}, layout_of(request.options, {}),
                                               *find_block_definition(entry.block->name()))) {}

CheckedModel::CheckedModel(const CheckRequest& request, const BlockEntry& entry,
                           const ModuleDescription& description, Layout layout, const Attributes& configured)
    : entry_(entry),
      block_(*find_block_definition(entry.block->name())),
      description_(description),
      dtype_(dtype_of(request, description)),
      canonical_(ours(request, block_, description, dtype_, layout, configured)),
      attributes_(complete_attributes(layout, block_, canonical_.tensors, configured)),
      configured_extents_(deformdiff::configured_extents(request.options, block_)),
      names_(layout, block_, attributes_),
      parameters_(std::move(canonical_.tensors)) {
  if (request.image) {
    if (description.inputs.size() != 1 || !description.inputs[0].tensor) {
      throw InputError(fmt::format(
          "--image-size: the module takes {} inputs; wanted is a model of one, the image: export a wrapper",
          description.inputs.size()));
    }
  } else {
    find_inputs(request);
    if (is_onnx(request.model)) find_dropped_inputs();
    find_outputs(request);
  }
}

/// The modules that all parameters have in common which share an extent with an input, up to a dot: what
/// comes first in the block.
std::string CheckedModel::parts_in_common() const {
  std::set<std::string> of_inputs;
  const std::vector<TensorSpec> specs = block_.tensors(attributes_);
  for (const TensorSpec& spec : specs) {
    if (spec.is_parameter() || spec.kind != TensorSpec::Kind::kFloating) continue;
    for (const Factors& axis : parse_axes(spec.axes)) {
      std::ranges::copy_if(axis, std::inserter(of_inputs, of_inputs.end()), [](const std::string& factor) {
        return !is_number(factor) && role_of(factor) == ExtentRole::kFixed;
      });
    }
  }
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs) {
    if (!spec.is_parameter() ||
        std::ranges::none_of(of_inputs, [&](const std::string& name) { return has_extent(spec, name); })) {
      continue;
    }
    const std::string ours = spec.name.substr(kParameterPrefix.size());
    names.push_back(names_.their_parameter(ours).value_or(ours));
  }
  return leading_module(names);
}

std::string CheckedModel::call_path() const {
  const std::string path = canonical_.prefix + parts_in_common();
  return path.substr(0, path.empty() ? 0 : path.size() - 1);
}

void CheckedModel::find_inputs(const CheckRequest& request) {
  for (const ModuleInput& input : description_.inputs) {
    if (!input.tensor) {
      throw InputError(
          fmt::format("the module's input '{}' is a {}; tensors are wanted: export a wrapper whose "
                      "forward takes tensors alone",
                      input.name, input.type));
    }
  }
  const auto lookup = [&](const std::string& name) { return names_.input(name); };
  std::vector<std::string> ours;
  if (!request.input_order.empty()) {
    ours = named_order(request.input_order, "--input-order", lookup, block_.inputs());
  } else {
    for (const ModuleInput& input : description_.inputs) {
      const auto entry = names_.input(input.name);
      if (entry) ours.push_back(entry->ours);
    }
    const std::set<std::string> distinct(ours.begin(), ours.end());
    if (distinct.size() != description_.inputs.size()) ours = names_.input_order();
    // Inputs at the end may be left out.
    if (ours.size() > description_.inputs.size()) ours.resize(description_.inputs.size());
  }
  if (ours.size() != description_.inputs.size()) {
    throw InputError(
        fmt::format("the module takes {} inputs, {} {}: give --input-order with one name for each",
                    description_.inputs.size(),
                    request.input_order.empty() ? "block " + block_.name() + " has" : "--input-order names",
                    fmt::join(ours, ", ")));
  }
  for (const std::string& name : ours) {
    inputs_.push_back(as_theirs(name, names_.input(names_.their_input(name))));
  }
}

void CheckedModel::find_outputs(const CheckRequest& request) {
  const auto lookup = [&](const std::string& name) { return names_.output(name); };
  const std::vector<std::string> ours =
      request.output_order.empty()
          ? names_.output_order()
          : named_order(request.output_order, "--output-order", lookup, block_.output_names());
  if (ours.size() != block_.output_names().size()) {
    throw InputError(fmt::format("--output-order: block {} has {}: all of them are wanted", block_.name(),
                                 fmt::join(names_.output_order(), ", ")));
  }
  if (!description_.outputs.empty() && description_.outputs.size() != ours.size()) {
    throw InputError(
        fmt::format("the module returns {} tensors, block {} {}: export a wrapper that returns those",
                    description_.outputs.size(), block_.name(), fmt::join(ours, ", ")));
  }
  for (const std::string& name : ours) {
    outputs_.push_back(as_theirs(name, names_.output(names_.their_output(name))));
  }
}

/// An exporter to ONNX drops inputs that the graph does not read.
void CheckedModel::find_dropped_inputs() {
  const std::set<std::string> taken = input_set();
  for (const TensorSpec& spec : block_.tensors(attributes_)) {
    const bool is_wanted = !spec.is_parameter() && !spec.optional && !taken.contains(spec.name);
    if (is_wanted && !is_derived(block_, taken, spec.name)) dropped_inputs_.push_back(spec.name);
  }
}

std::set<std::string> CheckedModel::input_set() const {
  std::set<std::string> names(dropped_inputs_.begin(), dropped_inputs_.end());
  for (const LayoutEntry& input : inputs_) names.insert(input.ours);
  return names;
}

std::optional<std::string> CheckedModel::their_path(const std::string& path) const {
  if (!path.starts_with(canonical_.prefix)) return std::nullopt;
  return unwrapped(canonical_, path.substr(canonical_.prefix.size()));
}

std::vector<NamedTensor> CheckedModel::traced_inputs() const {
  std::vector<NamedTensor> traced;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const auto& shape = description_.inputs[i].traced;
    if (!shape) continue;
    const Tensor theirs(DType::kUInt8, *shape,
                        Tensor::Bytes(static_cast<std::size_t>(element_count(*shape))));
    traced.push_back({inputs_[i].ours, to_ours(inputs_[i], theirs, {})});
  }
  return traced;
}

std::vector<NamedTensor> CheckedModel::arguments(const Case& c) const {
  std::vector<NamedTensor> arguments;
  for (const LayoutEntry& input : inputs_)
    arguments.push_back({input.ours, to_theirs(input, c.input(input.ours))});
  return arguments;
}

Tensor CheckedModel::our_output(const std::string& name, const Tensor& theirs) const {
  const auto entry = names_.output(names_.their_output(name));
  const bool fits = entry && (entry->how != Rearrangement::kSwapped || theirs.shape().size() >= 2);
  return fits ? to_ours(*entry, theirs, {}) : theirs;
}

void CheckedModel::name_outputs(Outcome& outcome) const {
  if (outcome.outputs.size() != outputs_.size()) return;
  std::vector<NamedTensor> ordered;
  for (const std::string& name : block_.output_names()) {
    const auto at = std::ranges::find(outputs_, name, &LayoutEntry::ours);
    if (at == outputs_.end()) return;
    const Tensor& theirs = outcome.outputs[static_cast<std::size_t>(at - outputs_.begin())].tensor;
    const bool fits = at->how != Rearrangement::kSwapped || theirs.shape().size() >= 2;
    ordered.push_back({name, fits ? to_ours(*at, theirs, {}) : theirs});
  }
  outcome.outputs = std::move(ordered);
}

}  // namespace deformdiff
