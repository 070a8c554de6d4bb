// Models that use a right operator wrongly: levels, masks, positions.
#include "faults/affected.h"
#include "faults/export_mistakes.h"
#include "faults/fault.h"
#include "faults/normaliser.h"
#include "faults/tampering.h"
#include "subjects/ms_deform_attn/forward.h"

#include <cmath>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::forward_operator;
using ms_deform_attn::Inputs;
using Blocks = std::set<std::string>;

/// A stage's value, changed wherever a stage of that name is.
BlockFunction changed_stage(const char* part, std::function<at::Tensor(const at::Tensor&)> change) {
  return tampered(forward_operator, [part, change = std::move(change)](const Call&) -> Tamper {
    return [part, change](const std::string& stage, const at::Tensor& value) {
      return is_stage(stage, part) ? change(value) : value;
    };
  });
}

BlockFunction changed_level_embedding(std::function<at::Tensor(const at::Tensor&)> change) {
  return [change = std::move(change), model = every_block(forward_operator)](const Call& call) {
    std::vector<at::Tensor> inputs = call.inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::string& name = call.names[i];
      if (name.ends_with("level_embed") || name.ends_with("level_embed.weight"))
        inputs[i] = change(inputs[i]);
    }
    return model({call.block, call.attributes, call.names, inputs, call.taps});
  };
}

std::vector<at::Tensor> without_mask(const Call& call) {
  std::vector<std::string> names;
  std::vector<at::Tensor> inputs;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    if (call.names[i] == "attention_mask") continue;
    names.push_back(call.names[i]);
    inputs.push_back(call.inputs[i]);
  }
  return every_block(forward_operator)({call.block, call.attributes, names, inputs, call.taps});
}

std::vector<at::Tensor> half_pixel_positions(const Call& call) {
  Attributes attributes = call.attributes;
  attributes["position_offset"] -= 0.5;
  return every_block(forward_operator)({call.block, attributes, call.names, call.inputs, call.taps});
}

/// Level l attends to the map of level L-1-l.
at::Tensor levels_reversed(const Inputs& inputs) {
  Inputs wrong = inputs;
  wrong.spatial_shapes = inputs.spatial_shapes.flip(0);
  wrong.level_start_index = inputs.level_start_index.flip(0);
  return forward_operator(wrong);
}

}  // namespace

SubjectList model_faults() {
  const Blocks attending = blocks_with_parameter("sampling_offsets.weight");
  Blocks with_level_embedding = blocks_with_parameter("level_embed");
  with_level_embedding.merge(blocks_with_parameter("level_embed.weight"));
  SubjectList list;
  const auto add = [&list](const FaultDescription& description, const Blocks& blocks,
                           BlockFunction function) {
    add_fault(list, description, blocks, std::move(function));
  };
  add({"swapped_aspect", "attention", "offsets are divided by (height, width)", "", "out_of_bound"},
      attending,
      tampered(forward_operator, with_normaliser([](const at::Tensor& sides) { return sides.flip(1); })));
  add({"levels_reversed", "attention", "each level attends to the map of its opposite", "", "out_of_bound"},
      attending, every_block(levels_reversed));
  add({"dropped_level_embedding", "positions", "levels have no embedding", "", "out_of_bound"},
      with_level_embedding,
      changed_level_embedding([](const at::Tensor& embedding) { return at::zeros_like(embedding); }));
  add({"reversed_level_embedding", "positions", "level embeddings come in the opposite order", "",
       "out_of_bound"},
      with_level_embedding,
      changed_level_embedding([](const at::Tensor& embedding) { return embedding.flip(0); }));
  add({"half_pixel_positions", "positions", "positions are half a pixel off, as Deformable DETR has them", "",
       "out_of_bound"},
      blocks_with_attribute("position_offset"), half_pixel_positions);
  add({"reference_points_yx", "positions", "reference points have y before x", "", "out_of_bound"},
      {"reference_points", "pixel_decoder_encoder", "pixel_decoder", "mask2former_head"},
      changed_stage("reference_points", [](const at::Tensor& points) { return points.flip(-1); }));
  add({"padding_ignored", "masks", "values of padding are attended to", "", "out_of_bound"},
      blocks_with_input("attention_mask", "B S"), without_mask);
  add({"mask_ignored", "masks", "masked attention attends to everything", "", "out_of_bound"},
      blocks_with_input("attention_mask", "B*M Q K"), without_mask);
  add({"threshold_inverted", "masks", "what lies inside a mask is blocked", "", "out_of_bound"},
      blocks_with_attribute("mask_threshold"),
      changed_stage("attention_mask_raw", [](const at::Tensor& mask) { return mask.logical_not(); }));
  add({"blocked_rows_kept", "masks", "queries that may attend to nothing are not freed", "",
       "nonfinite_mismatch"},
      blocks_with_attribute("num_decoder_layers"), tampered(forward_operator, keep_blocked_rows));
  add({"unscaled_queries", "attention",
       "queries of masked attention are not divided by the root of their width", "", "out_of_bound"},
      blocks_with_parameter("cross_attn.out_proj.weight"),
      changed_stage("cross_attn.q_scaled", [](const at::Tensor& query) {
        return query * std::sqrt(static_cast<double>(query.size(-1)));
      }));
  return list;
}

}  // namespace deformdiff::worker
