#include "faults/normaliser.h"

#include "subjects/mask2former/pixel_decoder.h"
#include "subjects/mask2former/positions.h"

#include <memory>
#include <utility>

#include <ATen/TensorOperators.h>

namespace deformdiff::worker {
namespace {

/// [L, 2] of the levels that the encoder attends to.
at::Tensor level_sides(const Call& call) {
  if (const at::Tensor* shapes = call.find_input("spatial_shapes")) return *shapes;
  const std::vector<at::Tensor> features = mask2former::backbone_features(call);
  return mask2former::spatial_shapes_of({features.rbegin(), features.rend() - 1});
}

at::Tensor width_height(const at::Tensor& sides, const at::Tensor& like) {
  return sides.flip(1).to(like.options()).unsqueeze(1);
}

}  // namespace

std::function<Tamper(const Call&)> with_normaliser(OtherSides other) {
  return [other = std::move(other)](const Call& call) -> Tamper {
    const at::Tensor* reference = call.find_input("reference_points");
    const bool boxes = reference != nullptr && reference->size(-1) == 4;
    const at::Tensor sides = level_sides(call), others = other(sides);
    const auto offsets = std::make_shared<at::Tensor>();
    return [=](const std::string& stage, const at::Tensor& value) {
      if (is_stage(stage, "sampling_offsets")) *offsets = value;
      if (boxes || !is_stage(stage, "msda.sampling_locations")) return value;
      const at::Tensor pixels =
          offsets->unflatten(-1, {value.size(2), value.size(3), value.size(4), value.size(5)});
      return value + (pixels / width_height(others, value) - pixels / width_height(sides, value));
    };
  };
}

}  // namespace deformdiff::worker
