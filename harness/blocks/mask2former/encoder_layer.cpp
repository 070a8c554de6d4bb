#include "blocks/mask2former/encoder_layer.h"

#include "blocks/levels.h"

namespace deformdiff::encoder_layer {
namespace {

class EncoderLayer : public BlockDefinition {
 public:
  EncoderLayer()
      : BlockDefinition(
            {.name = "encoder_layer",
             .purpose = "attention_layer, feed-forward part, two norms",
             .outputs = {"hidden_states"},
             .part = ModelPart::kEncoder,
             .attributes =
                 {{"num_heads", 8}, {"num_levels", 3}, {"num_points", 4}, {"eps", 1e-5}, {"im2col_step", 64}},
             .extents = {{"M", "num_heads"}, {"L", "num_levels"}, {"P", "num_points"}}}) {}

  std::vector<TensorSpec> tensors(const Attributes&) const override {
    TensorList list;
    list.floating("hidden_states", "B S M*D");
    list.optional("position_embeddings", TensorSpec::Kind::kFloating, "B S M*D");
    list.fractions("reference_points", "B S L 2");
    list.sizes("spatial_shapes", "L 2");
    list.level_starts("level_start_index");
    list.optional("attention_mask", TensorSpec::Kind::kBool, "B S");
    declare_parameters(list, "");
    return list.take();
  }

 protected:
  void complete(const Case& c, Extents& extents) const override {
    check_levels(c, extents.at("S"));
    extents["Q"] = extents.at("S");
  }

  void build(StageBuilder& b) const override {
    b.output("hidden_states", append(b, {}, b.input("hidden_states"),
                                     {b.find_input("position_embeddings"), b.input("reference_points"),
                                      b.input("spatial_shapes"), b.input("level_start_index"),
                                      b.find_input("attention_mask")}));
  }
};

}  // namespace

void declare_parameters(TensorList& list, const std::string& prefix) {
  attention_layer::declare_parameters(list, prefix + "self_attn.");
  list.norm(prefix + "self_attn_layer_norm", "M*D");
  list.linear(prefix + "fc1", "F", "M*D");
  list.linear(prefix + "fc2", "M*D", "F");
  list.norm(prefix + "final_layer_norm", "M*D");
}

Value append(StageBuilder& b, const Scope& scope, const Value& hidden_states, const Surroundings& around) {
  const Value attended = attention_layer::append(
      b, scope.in("self_attn"),
      {hidden_states, around.position_embeddings, hidden_states, around.reference_points,
       around.spatial_shapes, around.level_start_index, around.attention_mask});
  const Value attention_sum = b.add(scope.stage("self_attn_residual"), hidden_states, attended);
  const Value normed =
      b.layer_norm(scope.stage("self_attn_layer_norm"), attention_sum, scope.module("self_attn_layer_norm"));
  const Value hidden = b.linear(scope.stage("fc1"), normed, scope.module("fc1"));
  const Value active = b.relu(scope.stage("activation"), hidden);
  const Value fed_forward = b.linear(scope.stage("fc2"), active, scope.module("fc2"));
  const Value ffn_sum = b.add(scope.stage("ffn_residual"), normed, fed_forward);
  return b.layer_norm(scope.stage("final_layer_norm"), ffn_sum, scope.module("final_layer_norm"));
}

const BlockDefinition& block() {
  static const EncoderLayer instance;
  return instance;
}

}  // namespace deformdiff::encoder_layer
