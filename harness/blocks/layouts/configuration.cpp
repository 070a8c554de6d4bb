#include "blocks/layouts/configuration.h"

#include "blocks/block_list.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

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

bool is_deformable_detr(const Json& config) {
  return config.is_object() && config.value("model_type", Json()) == "deformable_detr";
}

/// Every attribute of any block, but for position_embedding's bits, which a tensor's dtype says.
std::set<std::string> all_attributes() {
  std::set<std::string> names;
  for (const BlockDefinition* block : block_definitions()) {
    for (const auto& [name, value] : block->default_attributes()) names.insert(name);
  }
  names.erase("bits");
  return names;
}

/// Attributes, those of other blocks too; keys that say what shapes say, or help people; and keys whose
/// values are checked.
bool is_known(const std::string& key) {
  static const std::set<std::string> attributes = all_attributes();
  static const std::set<std::string> others{
      "embed_dims", "feedforward_dims", "num_queries", "num_classes", "mask_dims", "in_channels", "strides",
      "feature_dims", "decoder_embed_dims", "decoder_feedforward_dims", "mask",
      // Checked where they concern the block.
      "level_order", "feature_order", "reference", "weights", "norm", "encoder_norm", "decoder_norm",
      "decoder_batch_first", "activation", "interpolation", "align_corners", "padding_mode",
      "mask_true_means"};
  return attributes.contains(key) || others.contains(key);
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

/// Which way sequences lie is fixed by the layout.
void check_batch_first(const Reader& reader, Layout layout, ModelPart part) {
  const bool decoder_first = layout == Layout::kMmdet;
  if (part == ModelPart::kHead) reader.want("decoder_batch_first", decoder_first);
  reader.want("batch_first", part == ModelPart::kDecoder ? decoder_first : true);
}

const char* meaning_of_masks(ModelPart part) {
  if (part == ModelPart::kEncoder) return "padding";
  return part == ModelPart::kPositions ? "valid" : "blocked";
}

/// Maps of several levels are inputs of it, "features.0" and so on.
bool takes_maps(const BlockDefinition& block) {
  return std::ranges::any_of(block.inputs(), [](const std::string& name) { return name.ends_with(".0"); });
}

void check_fixed(const Reader& reader, const BlockDefinition& block, Layout layout) {
  reader.want("align_corners", false);
  reader.want("interpolation", "bilinear");
  reader.want("padding_mode", "zeros");
  reader.want("weights", "softmax");
  reader.want("feature_order", "high_to_low");
  reader.want("encoder_norm", "post");
  if (block.part() == ModelPart::kEncoder) reader.want("norm", "post");
  if (takes_maps(block)) reader.want("level_order", "low_to_high");
  // An attention by itself takes boxes for points too, and an attribute says which way its sequences lie.
  if (!block.default_attributes().contains("batch_first")) {
    reader.want("reference", "points");
    check_batch_first(reader, layout, block.part());
  }
  reader.want("mask_true_means", meaning_of_masks(block.part()));
}

/// Attributes that stand there under their own names: all that a configuration says of the operator and its
/// backward, whose layer has the rest.
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
    if (!is_known(key)) unknown.push_back(key);
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

/// Models of Hugging Face's whose parts are blocks, and which ones; of Mask2Former all are.
const std::map<std::string, std::set<std::string>>& huggingface_models() {
  static const std::set<std::string> encoder{"position_embedding", "reference_points", "attention_layer",
                                             "encoder_layer", "pixel_decoder_encoder"};
  static const std::map<std::string, std::set<std::string>> models = [] {
    std::map<std::string, std::set<std::string>> of{{"deformable_detr", encoder}, {"oneformer", encoder}};
    of["oneformer"].insert("pixel_decoder");
    for (const BlockDefinition* block : block_definitions()) of["mask2former"].insert(block->name());
    return of;
  }();
  return models;
}

void check_model_type(const Reader& reader, const BlockDefinition& block) {
  const auto model = huggingface_models().find(reader.text("model_type"));
  if (model == huggingface_models().end()) {
    std::vector<std::string> names;
    for (const auto& [name, blocks] : huggingface_models()) names.push_back(name);
    reader.refuse("model_type",
                  fmt::format("the models whose parts are blocks are {}", fmt::join(names, ", ")));
  }
  if (!model->second.contains(block.name())) {
    reader.refuse("model_type",
                  fmt::format("the blocks that are parts of it are {}", fmt::join(model->second, ", ")));
  }
}

Attributes from_deformable_detr_config(const Reader& reader, const BlockDefinition& block) {
  const Attributes defaults = block.default_attributes();
  Attributes attributes;
  const auto take = [&](const char* ours, const char* theirs) {
    if (defaults.contains(ours) && reader.has(theirs)) attributes[ours] = reader.number(theirs);
  };
  take("num_heads", "encoder_attention_heads");
  take("num_encoder_layers", "encoder_layers");
  take("num_levels", "num_feature_levels");
  take("num_points", "encoder_n_points");
  if (block.name() == "encoder_layer" || block.name() == "pixel_decoder_encoder") {
    reader.want("activation_function", "relu");
  }
  if (defaults.contains("num_position_features")) {
    reader.want("position_embedding_type", "sine");
    if (reader.has("d_model")) attributes["num_position_features"] = reader.number("d_model") / 2;
    attributes["position_offset"] = -0.5;  // it numbers pixels from their middles
  }
  return attributes;
}

Attributes from_huggingface_config(const Reader& reader, const BlockDefinition& block) {
  if (is_deformable_detr(reader.config())) return from_deformable_detr_config(reader, block);
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

}  // namespace

Attributes attributes_from_config(Layout layout, const BlockDefinition& block, const Json& config) {
  const Reader reader(block, config);
  const bool is_operator = block.name() == "ms_deform_attn" || block.name() == "ms_deform_attn_backward";
  if (is_operator) return own_attributes(reader, block);
  const bool huggingface =
      reader.has("model_type") || reader.has("num_attention_heads") || reader.has("encoder_layers");
  if (!huggingface) return from_recorded_config(reader, layout, block);
  if (reader.has("model_type")) check_model_type(reader, block);
  return from_huggingface_config(reader, block);
}

Extents extents_from_config(const BlockDefinition& block, const Json& config) {
  const Reader reader(block, config);
  Extents extents;
  const char* const key = is_deformable_detr(config) ? "num_feature_levels" : "num_levels";
  if (reader.has(key)) {
    constexpr double kMost = 256;  // as the attribute's
    const double levels = reader.number(key);
    if (!(levels >= 1 && levels <= kMost) || std::trunc(levels) != levels) {
      reader.refuse(key, fmt::format("a whole number from 1 to {} wanted", kMost));
    }
    extents["L"] = static_cast<std::int64_t>(levels);
  }
  if (reader.has("reference")) {
    const std::string reference = reader.text("reference");
    if (reference != "points" && reference != "boxes") {
      reader.refuse("reference", "\"points\" or \"boxes\" wanted");
    }
    extents["R"] = reference == "boxes" ? 4 : 2;
  }
  return extents;
}

}  // namespace deformdiff
