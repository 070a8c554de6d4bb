#include "blocks/mask2former/decoder_layer.h"

namespace deformdiff::decoder_layer {
namespace {

class DecoderLayer : public BlockDefinition {
 public:
  DecoderLayer()
      : BlockDefinition({.name = "decoder_layer",
                         .purpose = "masked cross attention, self attention, feed-forward part",
                         .outputs = {"hidden_states", "self_attn_weights", "cross_attn_weights"},
                         .part = ModelPart::kDecoder,
                         .attributes = {{"num_heads", 8}, {"eps", 1e-5}, {"pre_norm", 0}, {"gelu", 0}},
                         .extents = {{"M", "num_heads"}}}) {}

  std::vector<TensorSpec> tensors(const Attributes&) const override {
    TensorList list;
    list.floating("hidden_states", "Q B M*D");
    list.floating("query_position_embeddings", "Q B M*D");
    list.floating("encoder_hidden_states", "K B M*D");
    list.floating("position_embeddings", "K B M*D");
    list.optional("attention_mask", TensorSpec::Kind::kBool, "B*M Q K");
    declare_parameters(list, "", "M*D", "F");
    return list.take();
  }

 protected:
  void build(StageBuilder& b) const override {
    const Result result = append(
        b, {},
        {b.input("hidden_states"), b.input("query_position_embeddings"), b.input("encoder_hidden_states"),
         b.input("position_embeddings"), b.find_input("attention_mask")});
    const std::int64_t heads = b.problem().attribute("num_heads");
    const Shape& self = result.self_probabilities.shape;
    b.output("hidden_states", result.hidden_states);
    b.output("self_attn_weights",
             b.copy("self_attn_weights",
                    reshaped(result.self_probabilities, {self[0] / heads, heads, self[1], self[2]})));
    b.output("cross_attn_weights", b.mean_heads("cross_attn_weights", result.cross_probabilities, heads));
  }
};

/// [B, length, M*D] to [B*M, length, D].
Value by_head(const Value& x, std::int64_t heads) {
  const Shape& s = x.shape;
  const std::int64_t head_dim = s[2] / heads;
  return reshaped(permuted(reshaped(x, {s[0], s[1], heads, head_dim}), {0, 2, 1, 3}),
                  {s[0] * heads, s[1], head_dim});
}

/// [length, B, M*D] to [B*M, length, D], as multi-head attention does when the length comes first.
Value by_head_from_length_first(const Value& x, std::int64_t heads) {
  const Shape& s = x.shape;
  return swapped(reshaped(x, {s[0], s[1] * heads, s[2] / heads}));
}

/// [B*M, length, D] to [B, length, M*D].
Value heads_together(const Value& x, std::int64_t heads) {
  const Shape& s = x.shape;
  return reshaped(permuted(reshaped(x, {s[0] / heads, heads, s[1], s[2]}), {0, 2, 1, 3}),
                  {s[0] / heads, s[1], heads * s[2]});
}

struct Attended {
  Value output;         ///< [Q, B, C]
  Value probabilities;  ///< [B*M, Q, K]
};

Attended append_cross_attention(StageBuilder& b, const Scope& scope, const Inputs& inputs,
                                const Value& hidden_states) {
  const Scope attention = scope.in("cross_attn");
  const std::int64_t heads = b.problem().attribute("num_heads"), channels = hidden_states.shape[2];
  const Value weight = b.parameter(attention.module("in_proj_weight")),
              bias = b.parameter(attention.module("in_proj_bias"));
  const auto projected = [&](const char* name, const Value& x, std::int64_t part) {
    return b.linear(attention.stage(name), x, narrowed(weight, 0, part * channels, channels),
                    narrowed(bias, 0, part * channels, channels));
  };
  const Value query = b.add(attention.stage("query"), hidden_states, inputs.query_position_embeddings);
  const Value key = b.add(attention.stage("key"), inputs.encoder_hidden_states, inputs.position_embeddings);
  const Value q = projected("q", query, 0), k = projected("k", key, 1),
              v = projected("v", inputs.encoder_hidden_states, 2);
  const Value q_scaled =
      b.scale(attention.stage("q_scaled"), by_head_from_length_first(q, heads), channels / heads);
  const Value scores = b.attention_scores(attention.stage("scores"), q_scaled,
                                          by_head_from_length_first(k, heads), inputs.attention_mask);
  const Value probabilities = b.softmax(attention.stage("probabilities"), scores);
  const Value context =
      b.matmul(attention.stage("context"), probabilities, by_head_from_length_first(v, heads));
  const Value output = b.linear(scope.stage("cross_attn"), swapped(heads_together(context, heads)),
                                attention.module("out_proj"));
  return {output, probabilities};
}

Attended append_self_attention(StageBuilder& b, const Scope& scope, const Inputs& inputs,
                               const Value& hidden_states) {
  const Scope attention = scope.in("self_attn");
  const std::int64_t heads = b.problem().attribute("num_heads"), channels = hidden_states.shape[2];
  const auto linear = [&](const char* name, const Value& x) {
    return b.linear(attention.stage(name), x, attention.module(name));
  };
  const Value value = swapped(hidden_states);
  const Value query = b.add(attention.stage("query"), value, swapped(inputs.query_position_embeddings));
  const Value q = linear("q_proj", query), k = linear("k_proj", query), v = linear("v_proj", value);
  const Value q_scaled = b.scale(attention.stage("q_scaled"), q, channels / heads);
  const Value scores = b.attention_scores(attention.stage("scores"), by_head(q_scaled, heads),
                                          by_head(k, heads), std::nullopt);
  const Value probabilities = b.softmax(attention.stage("probabilities"), scores);
  const Value context = b.matmul(attention.stage("context"), probabilities, by_head(v, heads));
  const Value output = linear("out_proj", heads_together(context, heads));
  return {b.copy(scope.stage("self_attn"), swapped(output)), probabilities};
}

Value append_feed_forward(StageBuilder& b, const Scope& scope, const Value& x) {
  const Value hidden = b.linear(scope.stage("fc1"), x, scope.module("fc1"));
  const std::string name = scope.stage("activation_fn");
  const Value active = b.problem().attribute("gelu") != 0 ? b.gelu(name, hidden) : b.relu(name, hidden);
  return b.linear(scope.stage("fc2"), active, scope.module("fc2"));
}

}  // namespace

void declare_parameters(TensorList& list, const std::string& prefix, const std::string& width,
                        const std::string& hidden) {
  list.parameter(prefix + "cross_attn.in_proj_weight", "3*" + width + " " + width);
  list.parameter(prefix + "cross_attn.in_proj_bias", "3*" + width);
  list.linear(prefix + "cross_attn.out_proj", width, width);
  list.norm(prefix + "cross_attn_layer_norm", width);
  for (const char* module : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
    list.linear(prefix + "self_attn." + module, width, width);
  }
  list.norm(prefix + "self_attn_layer_norm", width);
  list.linear(prefix + "fc1", hidden, width);
  list.linear(prefix + "fc2", width, hidden);
  list.norm(prefix + "final_layer_norm", width);
}

Result append(StageBuilder& b, const Scope& scope, const Inputs& inputs) {
  const bool pre_norm = b.problem().attribute("pre_norm") != 0;
  const auto norm = [&](const char* name, const Value& x) {
    return b.layer_norm(scope.stage(name), x, scope.module(name));
  };
  // A part is given the sum so far (pre-norm: normed) and added to it; post-norm norms the sum instead.
  const auto residual = [&](const char* name, const char* norm_name, const Value& x, const auto& part) {
    const Value output = part(pre_norm ? norm(norm_name, x) : x);
    const Value sum = b.add(scope.stage(name), x, output);
    return pre_norm ? sum : norm(norm_name, sum);
  };
  Result result;
  Value x =
      residual("cross_attn_residual", "cross_attn_layer_norm", inputs.hidden_states, [&](const Value& given) {
        const Attended attended = append_cross_attention(b, scope, inputs, given);
        result.cross_probabilities = attended.probabilities;
        return attended.output;
      });
  x = residual("self_attn_residual", "self_attn_layer_norm", x, [&](const Value& given) {
    const Attended attended = append_self_attention(b, scope, inputs, given);
    result.self_probabilities = attended.probabilities;
    return attended.output;
  });
  result.hidden_states = residual("ffn_residual", "final_layer_norm", x,
                                  [&](const Value& given) { return append_feed_forward(b, scope, given); });
  return result;
}

const BlockDefinition& block() {
  static const DecoderLayer instance;
  return instance;
}

}  // namespace deformdiff::decoder_layer
