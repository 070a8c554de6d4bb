#include "blocks/block_definition.h"

#include "blocks/attribute_rules.h"
#include "blocks/extents.h"
#include "blocks/stage_builder.h"
#include "core/mixed_types.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

bool has_kind(DType dtype, TensorSpec::Kind kind) {
  switch (kind) {
    case TensorSpec::Kind::kFloating:
      return is_floating(dtype);
    case TensorSpec::Kind::kInt64:
      return dtype == DType::kInt64;
    case TensorSpec::Kind::kBool:
      return dtype == DType::kBool;
  }
  return false;
}

std::string name_of_kind(TensorSpec::Kind kind) {
  switch (kind) {
    case TensorSpec::Kind::kFloating:
      return "a floating dtype";
    case TensorSpec::Kind::kInt64:
      return "int64";
    case TensorSpec::Kind::kBool:
      return "bool";
  }
  return "";
}

/// Half parameters beside float32 norms, say.
bool may_mix(DType a, DType b) {
  return (is_sixteen_bits(a) && b == DType::kFloat32) || (a == DType::kFloat32 && is_sixteen_bits(b));
}

/// The case's tensor of each description, in their order; nullptr where there is none.
using Found = std::vector<const Tensor*>;

Found find_all(const std::vector<TensorSpec>& specs, const Case& c) {
  std::map<std::string_view, const Tensor*> by_name;
  for (const NamedTensor& input : c.inputs) by_name.emplace(input.name, &input.tensor);
  Found found;
  for (const TensorSpec& spec : specs) {
    const auto at = by_name.find(spec.name);
    found.push_back(at == by_name.end() ? nullptr : at->second);
  }
  return found;
}

void check_names(const BlockDefinition& block, const std::vector<TensorSpec>& specs, const Found& found,
                 const Case& c) {
  std::set<std::string_view> known, seen;
  std::vector<std::string> missing, unknown, twice;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    known.insert(specs[i].name);
    if (found[i] == nullptr && !specs[i].optional) missing.push_back(specs[i].name);
  }
  for (const NamedTensor& input : c.inputs) {
    if (!known.contains(input.name)) unknown.push_back(input.name);
    if (!seen.insert(input.name).second) twice.push_back(input.name);
  }
  const auto refuse = [&block](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    throw InputError(fmt::format("block {}: {}: {}", block.name(), what, fmt::join(names, ", ")));
  };
  refuse("tensors missing", missing);
  refuse("tensors that it does not have", unknown);
  refuse("tensors given twice", twice);
}

}  // namespace

std::map<std::string, Shape> shapes_of(const std::vector<NamedTensor>& tensors) {
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& each : tensors) shapes.emplace(each.name, each.tensor.shape());
  return shapes;
}

void BlockDefinition::refuse(const std::string& field, const std::string& what) const {
  throw InputError(fmt::format("block {}: {}: {}", name(), field, what));
}

Extents BlockDefinition::dimensions(const Case& c) const {
  if (c.block != name()) refuse("block", fmt::format("the case is of block '{}'", c.block));
  check_attributes(*this, c.attributes);
  const std::vector<TensorSpec> specs = tensors(c.attributes);
  const Found found = find_all(specs, c);
  check_names(*this, specs, found, c);
  const Tensor* first_floating = nullptr;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (found[i] == nullptr) continue;
    const DType dtype = found[i]->dtype();
    if (!has_kind(dtype, specs[i].kind)) {
      refuse(specs[i].name,
             fmt::format("dtype {} found, {} wanted", name_of(dtype), name_of_kind(specs[i].kind)));
    }
    if (specs[i].kind != TensorSpec::Kind::kFloating) continue;
    if (first_floating == nullptr) first_floating = found[i];
    if (dtype != first_floating->dtype() && !may_mix(dtype, first_floating->dtype())) {
      refuse(specs[i].name, fmt::format("dtype {} found, {} as in the tensors before it wanted",
                                        name_of(dtype), name_of(first_floating->dtype())));
    }
  }
  const ExtentSolver solver(extents_of(c.attributes, shapes_of(c.inputs)));
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (found[i] == nullptr) continue;
    const std::string mismatch = solver.mismatch(specs[i].axes, found[i]->shape());
    if (!mismatch.empty()) refuse(specs[i].name, mismatch);
  }
  Extents extents = solver.extents();
  for (const auto& [extent, value] : extents) {
    if (value < 1 && extent != "B" && extent != "Q") {
      refuse("shapes", fmt::format("extent {} is {}, at least 1 wanted", extent, value));
    }
  }
  complete(c, extents);
  if (extents.contains("B")) extents["N"] = extents["B"];
  return extents;
}

std::vector<std::string> BlockDefinition::inputs() const {
  return input_names(default_attributes());
}

std::vector<std::string> BlockDefinition::input_names(const Attributes& attributes) const {
  std::vector<std::string> names;
  for (const TensorSpec& spec : tensors(attributes)) {
    if (!spec.is_parameter()) names.push_back(spec.name);
  }
  return names;
}

Extents BlockDefinition::extents_of(const Attributes& attributes, const std::map<std::string, Shape>& shapes,
                                    Extents known) const {
  for (const auto& [extent, attribute] : extent_attributes()) {
    known[extent] = static_cast<std::int64_t>(attributes.at(attribute));
  }
  ExtentSolver solver(std::move(known));
  const std::vector<TensorSpec> specs = tensors(attributes);
  for (bool learnt = true; learnt;) {
    learnt = false;
    for (const TensorSpec& spec : specs) {
      const auto found = shapes.find(spec.name);
      if (found != shapes.end() && solver.learn(spec.axes, found->second)) learnt = true;
    }
  }
  return solver.extents();
}

StageBuilder BlockDefinition::built(const Case& c) const {
  StageBuilder builder(c, compute_dtype(c));
  build(builder);
  return builder;
}

void BlockDefinition::validate(const Case& c) const {
  dimensions(c);
  built(c);  // refuses values that would be too large
}

DType BlockDefinition::compute_dtype(const Case& c) const {
  if (const auto mixed = mixed_dtype(c)) return *mixed;
  for (const NamedTensor& input : c.inputs) {
    if (is_floating(input.tensor.dtype())) return input.tensor.dtype();
  }
  refuse("inputs", "no floating tensor found");
}

std::vector<OutputSpec> BlockDefinition::outputs(const Case& c) const {
  return built(c).take_outputs();
}

std::vector<Stage> BlockDefinition::stages(const Case& c) const {
  return built(c).take_stages();
}

std::vector<OutputSpec> BlockDefinition::stage_values(const Case& c) const {
  return built(c).take_values();
}

std::string BlockDefinition::outside_contract(const Case& c, const Contract& contract) const {
  // level_start_index needs no look: validate() admits only what follows from spatial_shapes.
  if (contract.im2col_step != Im2colStep::kDivides || !c.attributes.contains("im2col_step")) return "";
  const std::int64_t batch = dimensions(c).at("N");
  const std::int64_t together = std::min(batch, c.attribute("im2col_step"));
  return together > 0 && batch % together != 0 ? "im2col_step does not divide the batch" : "";
}

std::int64_t BlockDefinition::working_memory(const Case& c, const Precision&) const {
  // Every stage's value is kept while a run is judged, and as much again lies in what an operation needs
  // while it runs: contiguous copies of what views rearrange, the samples of an attention.
  return 2 * built(c).bytes();
}

}  // namespace deformdiff
