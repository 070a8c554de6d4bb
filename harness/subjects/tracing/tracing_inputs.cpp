#include "subjects/tracing/tracing_inputs.h"

#include "subjects/mask2former/positions.h"

#include <string_view>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>

namespace deformdiff::worker {
namespace {

/// What the axes of an input are: N images, B images times heads, Q queries, S tokens of all levels, K tokens
/// of one map, H and W the sides of a map. Others stay as they are.
using Axes = std::map<std::string, std::string_view, std::less<>>;

const Axes* axes_of(const std::string& block) {
  static const std::map<std::string, Axes> blocks{
      {"attention_layer",
       {{"hidden_states", "NQ."},
        {"encoder_hidden_states", "NS."},
        {"position_embeddings", "NQ."},
        {"reference_points", "NQ.."},
        {"attention_mask", "NS"}}},
      {"encoder_layer",
       {{"hidden_states", "NS."},
        {"position_embeddings", "NS."},
        {"reference_points", "NS.."},
        {"attention_mask", "NS"}}},
      {"pixel_decoder_encoder",
       {{"inputs_embeds", "NS."},
        {"position_embeddings", "NS."},
        {"valid_ratios", "N.."},
        {"attention_mask", "NS"}}},
      {"pixel_decoder", {{"features", "N.HW"}}},
      {"mask2former_head", {{"features", "N.HW"}}},
      {"decoder_layer",
       {{"hidden_states", "QN."},
        {"query_position_embeddings", "QN."},
        {"encoder_hidden_states", "KN."},
        {"position_embeddings", "KN."},
        {"attention_mask", "BQK"}}},
      {"mask_predictor", {{"hidden_states", "QN."}, {"pixel_embeddings", "N.HW"}}},
      {"transformer_decoder", {{"multi_scale_features", "N.HW"}, {"mask_features", "N.HW"}}},
      {"position_embedding", {{"mask", "NHW"}}},
      {"reference_points", {{"valid_ratios", "N.."}}},
  };
  const auto found = blocks.find(block);
  return found == blocks.end() ? nullptr : &found->second;
}

/// Elements of the axis again and again, `size` of them.
at::Tensor repeated(const at::Tensor& tensor, std::int64_t axis, std::int64_t size) {
  if (tensor.size(axis) == size) return tensor;
  const at::Tensor index = at::arange(size, tensor.options().dtype(at::kLong)).remainder(tensor.size(axis));
  return tensor.index_select(axis, index);
}

bool is_part_of_the_map(std::string_view name) {
  return name == "valid_ratios" || name == "reference_points" || name == "sampling_loc";
}

at::Tensor other_values(std::string_view name, const at::Tensor& tensor) {
  const at::Tensor moved = tensor.roll(1);
  if (tensor.scalar_type() == at::kBool) return moved.logical_not();
  if (!tensor.is_floating_point()) return tensor.clone();
  return is_part_of_the_map(name) ? 1 - 0.5 * moved : -0.5 * moved;
}

class Resizing {
 public:
  Resizing(const Call& call, TracingSizes sizes) : call_(call), sizes_(sizes) {
    if (const at::Tensor* shapes = call.find_input("spatial_shapes")) spatial_shapes_ = sides(*shapes);
  }

  at::Tensor operator()(const std::string& name, const at::Tensor& tensor) const {
    if (name == "spatial_shapes") return spatial_shapes_;
    if (name == "level_start_index") return mask2former::level_starts(spatial_shapes_);
    if (name == "target_size" || name == "spatial_shape") return sides(tensor.unsqueeze(0)).squeeze(0);
    const std::string_view axes = axes_of_input(name);
    at::Tensor resized = other_values(name, tensor);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const auto axis = static_cast<std::int64_t>(i);
      resized = repeated(resized, axis, extent(axes[i], tensor, axis));
    }
    return resized;
  }

 private:
  std::string_view axes_of_input(const std::string& name) const {
    const Axes& axes = *axes_of(call_.block);
    const auto found = axes.find(name.substr(0, name.find('.')));
    if (found == axes.end()) return {};
    const bool length_first = call_.block == "attention_layer" && call_.attributes.contains("batch_first") &&
                              call_.integer("batch_first") == 0;
    const bool turned = length_first && found->second.size() == 3;
    if (!turned) return found->second;
    return found->second[1] == 'Q' ? "QN." : "SN.";
  }

  /// [L, 2] of heights and widths
  at::Tensor sides(const at::Tensor& shapes) const {
    if (sizes_ == TracingSizes::kTransposed) return shapes.flip(1);
    if (sizes_ != TracingSizes::kOther) return shapes.clone();
    const at::Tensor smaller = shapes.masked_fill(shapes > kLarge, kSmaller);
    return at::stack({smaller.select(1, 1) + 1, smaller.select(1, 0)}, 1);
  }

  std::int64_t batch(std::int64_t size, std::int64_t heads) const {
    if (sizes_ == TracingSizes::kBatchOfOne) return heads;
    if (sizes_ != TracingSizes::kOther) return size;
    return size > heads ? heads : 2 * heads;
  }

  std::int64_t extent(char letter, const at::Tensor& tensor, std::int64_t axis) const {
    const std::int64_t size = tensor.size(axis), other = sizes_ == TracingSizes::kOther ? 1 : 0;
    const bool turned = other != 0 || sizes_ == TracingSizes::kTransposed;
    switch (letter) {
      case 'N':
        return batch(size, 1);
      case 'B':
        return batch(size, call_.integer("num_heads"));
      case 'K':
      case 'Q':
        return traced_side(size) + other;
      case 'S':
        return spatial_shapes_.prod(1).sum().item<std::int64_t>();
      case 'H':
        return turned ? traced_side(tensor.size(axis + 1)) + other : size;
      case 'W':
        return turned ? traced_side(tensor.size(axis - 1)) : size;
      default:
        return size;
    }
  }

  /// A trace of large maps is as good on small ones, and takes a fraction of the time and memory.
  std::int64_t traced_side(std::int64_t side) const {
    return sizes_ == TracingSizes::kOther && side > kLarge ? kSmaller : side;
  }

  static constexpr std::int64_t kLarge = 64, kSmaller = 32;

  const Call& call_;
  TracingSizes sizes_;
  at::Tensor spatial_shapes_;
};

}  // namespace

std::vector<at::Tensor> tracing_inputs(const Call& call, TracingSizes sizes) {
  const bool whole_model = axes_of(call.block) != nullptr;
  std::vector<at::Tensor> inputs;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    const std::string& name = call.names[i];
    const at::Tensor& tensor = call.inputs[i];
    TORCH_CHECK_NOT_IMPLEMENTED(!whole_model || tensor.numel() > 0, "a trace does not generalise to ", name,
                                " of shape ", tensor.sizes());
    if (name.starts_with("param.")) {
      inputs.push_back(tensor);
    } else {
      inputs.push_back(whole_model ? Resizing(call, sizes)(name, tensor) : other_values(name, tensor));
    }
  }
  return inputs;
}

}  // namespace deformdiff::worker
