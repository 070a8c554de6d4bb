#include "subjects/tracing/tracing_inputs.h"

#include "blocks/block_list.h"
#include "blocks/extents.h"
#include "subjects/mask2former/positions.h"

#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>

namespace deformdiff::worker {
namespace {

using Role = TensorSpec::Role;

/// Elements of the axis again and again, `size` of them.
at::Tensor repeated(const at::Tensor& tensor, std::int64_t axis, std::int64_t size) {
  if (tensor.size(axis) == size) return tensor;
  const at::Tensor index = at::arange(size, tensor.options().dtype(at::kLong)).remainder(tensor.size(axis));
  return tensor.index_select(axis, index);
}

at::Tensor other_values(const at::Tensor& tensor, Role role) {
  const at::Tensor moved = tensor.roll(1);
  if (tensor.scalar_type() == at::kBool) return moved.logical_not();
  if (!tensor.is_floating_point()) return tensor.clone();
  return role == Role::kFractions ? 1 - 0.5 * moved : -0.5 * moved;
}

/// A trace of large maps is as good on small ones, and takes a fraction of the time and memory.
constexpr std::int64_t kLarge = 64, kSmaller = 32;

/// The sizes that a block is traced on: by extent, and the sides that tensors of sizes hold.
class OtherSizes {
 public:
  OtherSizes(const Call& call, TracingSizes sizes, const Extents& before) : sizes_(sizes), before_(before) {
    if (const at::Tensor* shapes = call.find_input("spatial_shapes")) spatial_shapes_ = sides(*shapes);
    for (const auto& [name, size] : before) extents_[name] = changed(name, size);
  }

  /// [.., 2] of heights and widths
  at::Tensor sides(const at::Tensor& shapes) const {
    if (sizes_ == TracingSizes::kTransposed) return shapes.flip(-1);
    if (sizes_ != TracingSizes::kOther) return shapes.clone();
    const at::Tensor smaller = shapes.masked_fill(shapes > kLarge, kSmaller);
    return at::stack({smaller.select(-1, 1) + 1, smaller.select(-1, 0)}, -1);
  }

  at::Tensor level_starts() const { return mask2former::level_starts(spatial_shapes_); }

  const Extents& extents() const { return extents_; }

 private:
  std::int64_t changed(const std::string& name, std::int64_t size) const {
    const std::int64_t one_more = sizes_ == TracingSizes::kOther ? 1 : 0;
    switch (role_of(name)) {
      case ExtentRole::kBatch:
        if (sizes_ == TracingSizes::kBatchOfOne) return 1;
        return sizes_ != TracingSizes::kOther ? size : size > 1 ? 1 : 2;
      case ExtentRole::kLength:
        return smaller(size) + one_more;
      case ExtentRole::kPixels:
        return spatial_shapes_.prod(1).sum().item<std::int64_t>();
      case ExtentRole::kHeight:
        return are_turned() ? smaller(before_.at('W' + name.substr(1))) + one_more : size;
      case ExtentRole::kWidth:
        return are_turned() ? smaller(before_.at('H' + name.substr(1))) : size;
      case ExtentRole::kFixed:
        return size;
    }
    return size;
  }

  bool are_turned() const { return sizes_ == TracingSizes::kOther || sizes_ == TracingSizes::kTransposed; }

  std::int64_t smaller(std::int64_t side) const {
    return sizes_ == TracingSizes::kOther && side > kLarge ? kSmaller : side;
  }

  TracingSizes sizes_;
  Extents before_, extents_;
  at::Tensor spatial_shapes_;
};

at::Tensor resized(const TensorSpec& spec, const at::Tensor& tensor, const OtherSizes& sizes) {
  if (spec.role == Role::kSizes) return sizes.sides(tensor);
  if (spec.role == Role::kLevelStarts) return sizes.level_starts();
  at::Tensor result = other_values(tensor, spec.role);
  std::int64_t axis = 0;
  for (const std::int64_t size : shape_of(spec, sizes.extents())) result = repeated(result, axis++, size);
  return result;
}

}  // namespace

std::vector<at::Tensor> tracing_inputs(const Call& call, TracingSizes sizes) {
  const BlockDefinition* block = find_block_definition(call.block);
  TORCH_CHECK_NOT_IMPLEMENTED(block != nullptr, "what block ", call.block,
                              " is to be traced on is not known");
  Attributes attributes = call.attributes;
  attributes.merge(block->default_attributes());
  std::map<std::string, TensorSpec> specs;
  for (const TensorSpec& spec : block->tensors(attributes)) specs.emplace(spec.name, spec);
  std::map<std::string, Shape> shapes;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) shapes[call.names[i]] = call.inputs[i].sizes().vec();
  std::optional<OtherSizes> other;
  if (block->is_resizable()) other.emplace(call, sizes, block->extents_of(attributes, shapes));

  std::vector<at::Tensor> inputs;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const at::Tensor& tensor = call.inputs[i];
    const TensorSpec& spec = specs.at(call.names[i]);
    TORCH_CHECK_NOT_IMPLEMENTED(!other || tensor.numel() > 0, "a trace does not generalise to empty tensors");
    if (spec.is_parameter()) {
      inputs.push_back(tensor);
    } else {
      inputs.push_back(other ? resized(spec, tensor, *other) : other_values(tensor, spec.role));
    }
  }
  return inputs;
}

}  // namespace deformdiff::worker
