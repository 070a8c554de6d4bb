#include "blocks/layouts/configuration.h"

#include "blocks/layouts/name_pattern.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// Blocks by what of the model they are.
enum class Family { kEncoder, kDecoder, kHead, kPositions, kPoints };

Family family_of(const BlockDefinition& block) {
  const std::string name = block.name();
  if (name == "mask2former_head") return Family::kHead;
  if (name == "position_embedding") return Family::kPositions;
  if (name == "reference_points") return Family::kPoints;
  const bool decodes = name == "decoder_layer" || name == "mask_predictor" || name == "transformer_decoder";
  return decodes ? Family::kDecoder : Family::kEncoder;
}

/// One reading of a configuration, with errors that name its key.
class Reader {
 public:
  Reader(const BlockDefinition& block, const Json& config) : block_(block), config_(config) {
    if (!config.is_object()) {
      throw InputError(fmt::format("block {}: configuration: an object wanted", block.name()));
    }
  }

  bool has(const std::string& key) const { return config_.contains(key) && !config_.at(key).is_null(); }

  /// A switch is 0 or 1.
  double number(const std::string& key) const {
    const Json& value = config_.at(key);
    if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
    if (!value.is_number()) refuse(key, "a number wanted");
    return value.get<double>();
  }

  std::string text(const std::string& key) const {
    const Json& value = config_.at(key);
    if (!value.is_string()) refuse(key, "a text wanted");
    return value.get<std::string>();
  }

  /// Refuses anything but `wanted` where the key is there.
  void want(const std::string& key, const Json& wanted) const {
    if (!has(key)) return;
    const Json& found = config_.at(key);
    const bool same = wanted.is_boolean() && found.is_number() ? number(key) == (wanted.get<bool>() ? 1 : 0)
                                                               : found == wanted;
    if (!same) refuse(key, fmt::format("only {} is implemented", wanted.dump()));
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& why) const {
    throw InputError(fmt::format("block {}: configuration: {} is {}; {}", block_.name(), key,
                                 config_.at(key).dump(), why));
  }

  const Json& config() const { return config_; }

 private:
  const BlockDefinition& block_;
  const Json& config_;
};

/// Keys that say what shapes say too, or help people.
const std::set<std::string>& descriptive_keys() {
  static const std::set<std::string> keys{
      "embed_dims", "feedforward_dims", "num_queries", "num_classes", "mask_dims", "in_channels", "strides",
      "feature_dims", "decoder_embed_dims", "level_order", "mask", "num_levels", "num_points", "num_heads",
      "decoder_feedforward_dims", "reference", "weights", "feature_order", "num_position_features",
      // Attributes of some blocks, no concern of others.
      "batch_first", "residual_inside", "decoder_batch_first", "norm", "encoder_norm", "decoder_norm",
      "activation", "interpolation", "align_corners", "padding_mode", "mask_true_means", "eps",
      "num_encoder_layers", "num_decoder_layers", "group_norm_groups", "mask_threshold", "im2col_step",
      "position_temperature", "position_scale", "position_eps", "position_normalize", "position_offset",
      "gelu", "pre_norm"};
  return keys;
}

/// A feed-forward part's activation; only the decoder's layers may have GELU.
double gelu_of(const Reader& reader, const std::string& key, bool may_be) {
  const std::string activation = reader.text(key);
  if (activation == "relu") return 0;
  if (activation != "gelu" || !may_be) {
    reader.refuse(key, may_be ? "\"relu\" or \"gelu\" wanted" : "only \"relu\" is implemented");
  }
  return 1;
}

double pre_norm_of(const Reader& reader, const std::string& key) {
  const std::string norm = reader.text(key);
  if (norm != "pre" && norm != "post") reader.refuse(key, "\"pre\" or \"post\" wanted");
  return norm == "pre" ? 1 : 0;
}

/// Which way sequences lie is fixed by the layout, but for an attention layer alone.
void check_batch_first(const Reader& reader, Layout layout, Family family) {
  const bool decoder_first = layout == Layout::kMmdet;
  switch (family) {
    case Family::kDecoder:
      reader.want("batch_first", decoder_first);
      break;
    case Family::kHead:
      reader.want("decoder_batch_first", decoder_first);
      reader.want("batch_first", true);
      break;
    default:
      reader.want("batch_first", true);
  }
}

void check_fixed(const Reader& reader, const BlockDefinition& block, Layout layout) {
  const Family family = family_of(block);
  reader.want("align_corners", false);
  reader.want("interpolation", "bilinear");
  reader.want("padding_mode", "zeros");
  reader.want("weights", "softmax");
  reader.want("feature_order", "high_to_low");
  reader.want("encoder_norm", "post");
  if (family == Family::kEncoder) reader.want("norm", "post");
  if (family == Family::kHead || block.name() == "pixel_decoder" || block.name() == "transformer_decoder") {
    reader.want("level_order", "low_to_high");
  }
  if (block.name() != "attention_layer") {
    reader.want("reference", "points");
    check_batch_first(reader, layout, family);
  }
  switch (family) {
    case Family::kEncoder:
      reader.want("mask_true_means", "padding");
      break;
    case Family::kPositions:
      reader.want("mask_true_means", "valid");
      break;
    default:
      reader.want("mask_true_means", "blocked");
  }
}

/// Attributes that stand there under their own names: all that a configuration says of the operator, whose
/// layer has the rest.
Attributes own_attributes(const Reader& reader, const BlockDefinition& block) {
  Attributes attributes;
  for (const auto& [name, value] : block.default_attributes()) {
    if (reader.has(name)) attributes[name] = reader.number(name);
  }
  return attributes;
}

Attributes from_recorded_config(const Reader& reader, Layout layout, const BlockDefinition& block) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : reader.config().items()) {
    if (!descriptive_keys().contains(key)) unknown.push_back(key);
  }
  if (!unknown.empty()) {
    throw InputError(fmt::format("block {}: configuration: keys that mean nothing here: {}", block.name(),
                                 fmt::join(unknown, ", ")));
  }
  check_fixed(reader, block, layout);
  Attributes attributes = own_attributes(reader, block);
  if (reader.has("activation")) {
    const bool may_be_gelu = block.default_attributes().contains("gelu");
    const double gelu = gelu_of(reader, "activation", may_be_gelu);
    if (may_be_gelu) attributes["gelu"] = gelu;
  }
  if (block.default_attributes().contains("pre_norm")) {
    for (const char* key : {"norm", "decoder_norm"}) {
      if (reader.has(key)) attributes["pre_norm"] = pre_norm_of(reader, key);
    }
  }
  return attributes;
}

Attributes from_huggingface_config(const Reader& reader, const BlockDefinition& block) {
  reader.want("common_stride", 4);
  const Attributes defaults = block.default_attributes();
  Attributes attributes;
  const auto take = [&](const char* ours, const char* theirs, double less = 0) {
    if (defaults.contains(ours) && reader.has(theirs)) attributes[ours] = reader.number(theirs) - less;
  };
  take("num_heads", "num_attention_heads");
  take("num_encoder_layers", "encoder_layers");
  take("num_decoder_layers", "decoder_layers", 1);  // theirs counts the prediction before the first layer
  take("pre_norm", "pre_norm");
  // The encoder's layers have ReLU, whatever this says.
  if (defaults.contains("gelu") && reader.has("activation_function")) {
    attributes["gelu"] = gelu_of(reader, "activation_function", true);
  }
  if (defaults.contains("num_position_features") && reader.has("hidden_dim")) {
    attributes["num_position_features"] = reader.number("hidden_dim") / 2;
  }
  return attributes;
}

/// Layers by their numbers in names; nullopt if there are none.
std::optional<double> count_layers(const std::map<std::string, Shape>& shapes, const std::string& before) {
  std::int64_t count = 0;
  for (const auto& [name, shape] : shapes) {
    const std::size_t at = name.find(before);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + before.size(), end = name.find('.', begin);
    if (end == std::string::npos) continue;
    const auto numbers = NamePattern("{i}").match(std::string_view(name).substr(begin, end - begin));
    if (numbers) count = std::max(count, numbers->at('i') + 1);
  }
  if (count == 0) return std::nullopt;
  return static_cast<double>(count);
}

/// Rows of the first tensor whose name ends so.
std::optional<std::int64_t> rows_of(const std::map<std::string, Shape>& shapes, std::string_view ending) {
  for (const auto& [name, shape] : shapes) {
    if (name.ends_with(ending) && !shape.empty()) return shape[0];
  }
  return std::nullopt;
}

}  // namespace

Attributes attributes_from_config(Layout layout, const BlockDefinition& block, const Json& config) {
  const Reader reader(block, config);
  if (block.name() == "ms_deform_attn") return own_attributes(reader, block);
  const bool huggingface =
      reader.has("model_type") || reader.has("num_attention_heads") || reader.has("encoder_layers");
  if (!huggingface) return from_recorded_config(reader, layout, block);
  if (reader.has("model_type")) reader.want("model_type", "mask2former");
  return from_huggingface_config(reader, block);
}

Inference infer_attributes(Layout layout, const BlockDefinition& block,
                           const std::map<std::string, Shape>& shapes, const Attributes& known) {
  const Attributes defaults = block.default_attributes();
  Inference result{known, {}};
  Attributes& attributes = result.attributes;
  const auto wants = [&](const char* name) { return defaults.contains(name) && !attributes.contains(name); };
  const auto set = [&](const char* name, std::optional<double> value) {
    if (wants(name) && value) attributes[name] = *value;
  };
  set("num_encoder_layers",
      count_layers(shapes, block.name() == "pixel_decoder_encoder" ? "param.layers." : "encoder.layers."));
  if (block.name() == "transformer_decoder" || block.name() == "mask2former_head") {
    // A decoder without layers has its other parameters, and none of these.
    const std::optional<double> layers = count_layers(shapes, "transformer_module.decoder.layers.");
    set("num_decoder_layers", layers || shapes.empty() ? layers : std::optional<double>(0));
  }
  for (const char* ending : {"level_embed", "level_embed.weight", "spatial_shapes"})
    set("num_levels", rows_of(shapes, ending));

  // Rows of sampling_offsets are heads * levels * points * 2: the one of them that is not known follows.
  std::vector<const char*> open;
  std::int64_t product = 1;
  for (const char* name : {"num_heads", "num_levels", "num_points"}) {
    if (attributes.contains(name)) {
      product *= static_cast<std::int64_t>(std::clamp(attributes.at(name), 1.0, 0x1p20));
    } else if (defaults.contains(name)) {
      open.push_back(name);
    }
  }
  const std::optional<std::int64_t> rows = rows_of(shapes, "sampling_offsets.weight");
  if (open.size() == 1 && rows && *rows > 0 && *rows % (2 * product) == 0) {
    attributes[open[0]] = static_cast<double>(*rows / (2 * product));
    open.clear();
  }
  // With all but the last of them given, the last will follow.
  if (open.size() > 1 && rows) open.pop_back();
  result.unknown.assign(open.begin(), open.end());

  if (wants("num_position_features"))
    result.unknown.push_back("num_position_features");  // it has no parameters

  if (wants("residual_inside")) attributes["residual_inside"] = layout == Layout::kMmdet ? 1 : 0;
  if (wants("batch_first") && layout == Layout::kMmdet) {
    const auto hidden = shapes.find("hidden_states"), points = shapes.find("reference_points");
    if (hidden != shapes.end() && points != shapes.end() && hidden->second.size() == 3 &&
        points->second.size() == 4 && hidden->second[0] != hidden->second[1]) {
      attributes["batch_first"] = hidden->second[0] == points->second[0] ? 1 : 0;
    } else {
      result.unknown.push_back("batch_first");
    }
  }
  for (const auto& [name, value] : defaults) attributes.emplace(name, value);
  return result;
}

}  // namespace deformdiff
