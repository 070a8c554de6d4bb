#include "blocks/mask2former/mask_predictor.h"

#include <fmt/format.h>

namespace deformdiff::mask_predictor {
namespace {

class MaskPredictor : public BlockDefinition {
 public:
  MaskPredictor()
      : BlockDefinition({.name = "mask_predictor",
                         .purpose = "queries to classes, masks and the next layer's attention mask",
                         .outputs = {"normalized", "class_logits", "mask_logits", "attention_mask"},
                         .part = ModelPart::kDecoder,
                         .attributes = {{"num_heads", 8}, {"eps", 1e-5}, {"mask_threshold", 0.5}},
                         .extents = {{"M", "num_heads"}}}) {}

  std::vector<TensorSpec> tensors(const Attributes&) const override {
    TensorList list;
    list.floating("hidden_states", "Q B C");
    list.floating("pixel_embeddings", "B E H W");
    list.sizes("target_size", "2");
    declare_parameters(list, {}, "C");
    return list.take();
  }

 protected:
  void complete(const Case& c, Extents&) const override {
    const Tensor target = c.input("target_size").contiguous();
    const auto sides = target.values<std::int64_t>();
    if (sides[0] < 1 || sides[1] < 1) {
      refuse("target_size", fmt::format("{} x {} found, at least 1 x 1 wanted", sides[0], sides[1]));
    }
  }

  void build(StageBuilder& b) const override {
    const Tensor target = b.problem().input("target_size").contiguous();
    const auto sides = target.values<std::int64_t>();
    const Result result =
        append(b, {}, "", {b.input("hidden_states"), b.input("pixel_embeddings"), sides[0], sides[1]});
    b.output("normalized", result.normalized);
    b.output("class_logits", result.class_logits);
    b.output("mask_logits", result.mask_logits);
    b.output("attention_mask", result.attention_mask);
  }
};

}  // namespace

void declare_parameters(TensorList& list, const Modules& modules, const std::string& width) {
  list.norm(modules.layernorm, width);
  list.linear(modules.class_predictor, "classes", width);
  list.linear(modules.mask_predictor + ".mask_embedder.0.0", width, width);
  list.linear(modules.mask_predictor + ".mask_embedder.1.0", width, width);
  list.linear(modules.mask_predictor + ".mask_embedder.2.0", "E", width);
}

Result append(StageBuilder& b, const Modules& modules, const std::string& call, const Inputs& inputs) {
  const Value normalized = b.layer_norm(modules.layernorm + call, inputs.hidden_states, modules.layernorm);
  const Value class_logits =
      b.linear(modules.class_predictor + call, swapped(normalized), modules.class_predictor);

  const Scope scope{modules.mask_predictor + ".", call};
  Value embedding = swapped(normalized);
  for (int i = 0; i < 3; ++i) {
    const Scope layer = scope.in(numbered("mask_embedder.", i));
    embedding = b.linear(layer.stage("0"), embedding, layer.module("0"));
    if (i < 2) embedding = b.relu(layer.stage("1"), embedding);
  }
  const Shape& map = inputs.pixel_embeddings.shape;
  const std::int64_t batch = map[0], queries = embedding.shape[1];
  const Value mask_logits =
      b.store(reshaped(b.matmul(scope.stage("mask_logits"), embedding,
                                reshaped(inputs.pixel_embeddings, {batch, map[1], map[2] * map[3]})),
                       {batch, queries, map[2], map[3]}));

  const std::int64_t height = inputs.target_height, width = inputs.target_width;
  const Value resized = b.resize(scope.stage("resized_mask_logits"), mask_logits, height, width);
  b.sigmoid(scope.stage("mask_probabilities"), resized);
  const std::int64_t heads = b.problem().attribute("num_heads");
  const Value attention_mask =
      b.append(scope.stage("attention_mask_raw"), "threshold", {{"logits", resized}},
               {{"heads", static_cast<double>(heads)}, {"threshold", b.problem().number("mask_threshold")}},
               {batch * heads, queries, height * width}, DType::kBool);
  return {normalized, class_logits, mask_logits, attention_mask};
}

const BlockDefinition& block() {
  static const MaskPredictor instance;
  return instance;
}

}  // namespace deformdiff::mask_predictor
