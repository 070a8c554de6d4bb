#include "blocks/mask2former/attention_layer.h"

#include "blocks/levels.h"

#include <fmt/format.h>

namespace deformdiff::attention_layer {
namespace {

class AttentionLayer : public BlockDefinition {
 public:
  AttentionLayer()
      : BlockDefinition(
            {.name = "attention_layer",
             .purpose = "multi-scale deformable attention: the operator and its four linear layers",
             .outputs = {"output"},
             .part = ModelPart::kEncoder,
             .attributes = {{"num_heads", 8},
                            {"num_levels", 3},
                            {"num_points", 4},
                            {"batch_first", 1},
                            {"residual_inside", 0},
                            {"im2col_step", 64}},
             .extents = {{"M", "num_heads"}, {"L", "num_levels"}, {"P", "num_points"}}}) {}

  std::vector<TensorSpec> tensors(const Attributes& attributes) const override {
    const bool batch_first = attributes.at("batch_first") != 0;
    const std::string queries = batch_first ? "B Q M*D" : "Q B M*D";
    TensorList list;
    list.floating("hidden_states", queries);
    list.floating("encoder_hidden_states", batch_first ? "B S M*D" : "S B M*D");
    list.optional("position_embeddings", TensorSpec::Kind::kFloating, queries);
    list.fractions("reference_points", "B Q L R");
    list.sizes("spatial_shapes", "L 2");
    list.level_starts("level_start_index");
    list.optional("attention_mask", TensorSpec::Kind::kBool, "B S");
    declare_parameters(list, "");
    return list.take();
  }

 protected:
  void complete(const Case& c, Extents& extents) const override {
    const std::int64_t coordinates = extents.at("R");
    if (coordinates != 2 && coordinates != 4) {
      refuse("reference_points",
             fmt::format("{} coordinates found, 2 (points) or 4 (boxes) wanted", coordinates));
    }
    check_levels(c, extents.at("S"));
  }

  void build(StageBuilder& b) const override {
    const bool batch_first = b.problem().attribute("batch_first") != 0;
    const Value hidden_states = b.input("hidden_states");
    const Value projected =
        append(b, {},
               {hidden_states, b.find_input("position_embeddings"), b.input("encoder_hidden_states"),
                b.input("reference_points"), b.input("spatial_shapes"), b.input("level_start_index"),
                b.find_input("attention_mask"), batch_first});
    const Value seen = batch_first ? projected : swapped(projected);
    if (b.problem().attribute("residual_inside") != 0) {
      b.output("output", b.add("output", seen, hidden_states));
    } else {
      b.output("output", batch_first ? projected : b.copy("output", seen));
    }
  }
};

}  // namespace

void declare_parameters(TensorList& list, const std::string& prefix) {
  list.linear(prefix + "sampling_offsets", "M*L*P*2", "M*D");
  list.linear(prefix + "attention_weights", "M*L*P", "M*D");
  list.linear(prefix + "value_proj", "M*D", "M*D");
  list.linear(prefix + "output_proj", "M*D", "M*D");
}

Value append(StageBuilder& b, const Scope& scope, const Inputs& inputs) {
  const std::int64_t heads = b.problem().attribute("num_heads"), points = b.problem().attribute("num_points");
  const std::int64_t levels = inputs.spatial_shapes.shape.at(0);
  const auto batch_first = [&inputs](const Value& x) { return inputs.batch_first ? x : swapped(x); };
  const auto linear = [&](const char* name, const Value& x) {
    return b.linear(scope.stage(name), x, scope.module(name));
  };

  const Value query =
      batch_first(inputs.position_embeddings
                      ? b.add(scope.stage("query"), inputs.hidden_states, *inputs.position_embeddings)
                      : inputs.hidden_states);
  const std::int64_t batch = query.shape[0], length = query.shape[1], channels = query.shape[2];
  const Scope msda = scope.in("msda");

  const Value projected = linear("value_proj", batch_first(inputs.encoder_hidden_states));
  const Value value = b.mask_rows(msda.stage("value"),
                                  reshaped(projected, {batch, projected.shape[1], heads, channels / heads}),
                                  inputs.attention_mask);
  const Value offsets = linear("sampling_offsets", query);
  const Value logits = linear("attention_weights", query);
  const Value weights = b.store(reshaped(
      b.softmax(msda.stage("attention_weights"), reshaped(logits, {batch, length, heads, levels * points})),
      {batch, length, heads, levels, points}));
  const Shape each_point{batch, length, heads, levels, points, 2};
  const Value locations = b.append(msda.stage("sampling_locations"), "sampling_locations",
                                   {{"offsets", reshaped(offsets, each_point)},
                                    {"reference_points", inputs.reference_points},
                                    {"spatial_shapes", inputs.spatial_shapes}},
                                   {}, each_point, b.dtype());
  const Value sampled =
      b.append(msda.stage("output"), "ms_deform_attn",
               {{"value", value},
                {"spatial_shapes", inputs.spatial_shapes},
                {"level_start_index", inputs.level_start_index},
                {"sampling_loc", locations},
                {"attn_weight", weights}},
               {{"im2col_step", b.problem().number("im2col_step")}}, {batch, length, channels}, b.dtype());
  return linear("output_proj", sampled);
}

const BlockDefinition& block() {
  static const AttentionLayer instance;
  return instance;
}

}  // namespace deformdiff::attention_layer
