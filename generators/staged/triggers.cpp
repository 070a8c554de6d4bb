#include "generators/staged/triggers.h"

#include "blocks/extents.h"
#include "generators/staged/facts.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace deformdiff {
namespace {

struct Rule {
  const char* name;
  const char* needs;  ///< an extent, attribute or tensor that the block must have; empty for every block
  const char* description;
  bool (*hit)(const DeepFacts&);
};

using Facts = DeepFacts;

bool any_level(const Facts& f, bool (*holds)(const LevelSize&)) {
  return std::ranges::any_of(f.levels(), holds);
}

bool has_twins(const Facts& f) {
  for (const LevelSize& a : f.levels()) {
    for (const LevelSize& b : f.levels()) {
      if (a.height == b.width && a.width == b.height && a.height != a.width) return true;
    }
  }
  return false;
}

bool all_true(const std::vector<double>& row) {
  return std::ranges::all_of(row, [](double x) { return x != 0; });
}

bool is_flat(const std::vector<double>& row) {
  return row.size() > 1 && std::ranges::all_of(row, [&](double x) { return x == row.front(); });
}

bool differs_by_head(const Facts& f) {
  const Tensor* const mask = f.problem().find_input("attention_mask");
  if (mask == nullptr || f.extent("M") < 2) return false;
  const std::int64_t of_head = mask->dim(1) * mask->dim(2);
  for (std::int64_t i = 0; i < mask->elements(); ++i) {
    const std::int64_t head = i / of_head;
    const std::int64_t first = head - head % f.extent("M");
    if (mask->element(i) != mask->element(first * of_head + i % of_head)) return true;
  }
  return false;
}

bool any_feature(const Facts& f, bool (*holds)(double)) {
  return f.any_tensor([&](const NamedTensor& input) {
    if (is_parameter(input.name) || !is_floating(input.tensor.dtype())) return false;
    if (input.tensor.elements() == 0 || input.name == "reference_points") return false;
    return holds(input.tensor.element(0));
  });
}

bool has_zero_weight(const Facts& f) {
  return f.any_tensor([](const NamedTensor& input) {
    if (!is_parameter(input.name) || input.tensor.shape().size() < 2) return false;
    for (std::int64_t i = 0; i < input.tensor.elements(); ++i) {
      if (input.tensor.element(i) != 0) return false;
    }
    return input.tensor.elements() > 0;
  });
}

bool has_storage_layout(const Facts& f, bool parameter) {
  return f.any_tensor([&](const NamedTensor& input) {
    return is_parameter(input.name) == parameter && !input.tensor.is_contiguous();
  });
}

bool is_fraction(double x, double unit) {
  return std::floor(x / unit) == x / unit;
}

std::int64_t target(const Facts& f, std::int64_t axis) {
  return static_cast<std::int64_t>(f.problem().input("target_size").element(axis));
}

constexpr const char* kProjection = "param.model.transformer_module.input_projections.0.weight";
constexpr const char* kLastMaskEmbedder = "mask_embedder.2.0.weight";

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all{
      {"batch_zero", "B", "an empty batch", [](const Facts& f) { return f.extent("B") == 0; }},
      {"batch_above_one", "B", "several images", [](const Facts& f) { return f.extent("B") > 1; }},
      {"queries_zero", "Q", "no queries", [](const Facts& f) { return f.extent("Q") == 0; }},
      {"one_query", "Q", "a single query", [](const Facts& f) { return f.extent("Q") == 1; }},
      {"one_head", "M", "a single head", [](const Facts& f) { return f.extent("M") == 1; }},
      {"heads_not_power_of_two", "M", "3, 5, 6, ... heads",
       [](const Facts& f) { return !std::has_single_bit(static_cast<std::uint64_t>(f.extent("M"))); }},
      {"one_channel_per_head", "D", "heads of a single channel",
       [](const Facts& f) { return f.extent("D") == 1; }},
      {"odd_channels_per_head", "D", "3, 5, ... channels a head",
       [](const Facts& f) { return f.extent("D") > 1 && f.extent("D") % 2 == 1; }},
      {"one_hidden_channel", "fc1.weight", "a feed-forward part of width one",
       [](const Facts& f) { return f.extent("F") == 1; }},
      {"one_level", "levels", "a single level", [](const Facts& f) { return f.extent("L") == 1; }},
      {"levels_not_3", "levels", "2, 4, 5, ... levels",
       [](const Facts& f) { return f.extent("L") > 1 && f.extent("L") != 3; }},
      {"one_point", "P", "a single point a level", [](const Facts& f) { return f.extent("P") == 1; }},
      {"points_not_power_of_two", "P", "3, 5, ... points a level",
       [](const Facts& f) { return !std::has_single_bit(static_cast<std::uint64_t>(f.extent("P"))); }},
      {"real_width", "M", "channels of a real model",
       [](const Facts& f) { return std::max(f.extent("M") * f.extent("D"), f.extent("C")) >= 256; }},
      {"one_pixel_level", "maps", "a map of a single pixel",
       [](const Facts& f) { return any_level(f, [](const LevelSize& s) { return s.pixels() == 1; }); }},
      {"one_pixel_high", "maps", "a map of a single row",
       [](const Facts& f) {
         return any_level(f, [](const LevelSize& s) { return s.height == 1 && s.width > 1; });
       }},
      {"one_pixel_wide", "maps", "a map of a single column",
       [](const Facts& f) {
         return any_level(f, [](const LevelSize& s) { return s.width == 1 && s.height > 1; });
       }},
      {"not_square", "maps", "a map whose sides differ, both above one",
       [](const Facts& f) {
         return any_level(
             f, [](const LevelSize& s) { return s.width != s.height && s.width > 1 && s.height > 1; });
       }},
      {"transposed_levels", "L", "two maps of one pyramid with swapped sides", has_twins},
      {"several_encoder_layers", "num_encoder_layers", "more than one encoder layer",
       [](const Facts& f) { return f.attribute("num_encoder_layers") > 1; }},
      {"no_decoder_layers", "num_decoder_layers", "the first prediction only",
       [](const Facts& f) { return f.attribute("num_decoder_layers") == 0; }},
      {"several_decoder_layers", "num_decoder_layers", "more than one decoder layer",
       [](const Facts& f) { return f.attribute("num_decoder_layers") > 1; }},
      {"more_decoder_layers_than_levels", "num_decoder_layers", "a level is attended to again",
       [](const Facts& f) {
         return f.attribute("num_decoder_layers") > static_cast<double>(f.levels().size());
       }},
      {"padding_mask", "padding", "a padded pixel",
       [](const Facts& f) { return f.any_element("attention_mask", [](double x) { return x != 0; }); }},
      {"padded_image", "padding", "an image that is all padding",
       [](const Facts& f) { return f.any_row("attention_mask", all_true); }},
      {"valid_ratio_below_one", "valid_ratios", "a padded level, by its ratio",
       [](const Facts& f) { return f.any_element("valid_ratios", [](double x) { return x < 1; }); }},
      {"attention_mask", "blocking", "blocked keys",
       [](const Facts& f) { return f.any_element("attention_mask", [](double x) { return x != 0; }); }},
      {"fully_blocked_row", "blocking", "a query all of whose keys are blocked",
       [](const Facts& f) { return f.any_row("attention_mask", all_true); }},
      {"per_head_mask", "blocking", "heads with masks of their own", differs_by_head},
      {"position_mask", "mask", "pixels that are no image",
       [](const Facts& f) { return f.any_element("mask", [](double x) { return x == 0; }); }},
      {"boxes", "R", "references of four coordinates", [](const Facts& f) { return f.extent("R") == 4; }},
      {"reference_outside", "reference_points", "a reference outside the map",
       [](const Facts& f) {
         return f.any_element("reference_points", [](double x) { return x < 0 || x > 1; });
       }},
      {"reference_on_border", "reference_points", "a reference on the map's border",
       [](const Facts& f) {
         return f.any_element("reference_points", [](double x) { return x == 0 || x == 1; });
       }},
      {"far_offsets", "sampling_offsets", "offsets of a hundred pixels",
       [](const Facts& f) {
         return f.any_element("sampling_offsets.bias", [](double x) { return std::abs(x) > 100; });
       }},
      {"offsets_on_half_pixels", "sampling_offsets", "offsets whole or half pixels, whatever the query",
       [](const Facts& f) {
         return f.all_elements("sampling_offsets.weight", [](double x) { return x == 0; }) &&
                f.all_elements("sampling_offsets.bias", [](double x) { return is_fraction(x, 0.5); });
       }},
      {"no_position_embeddings", "optional position_embeddings", "the input is left out",
       [](const Facts& f) { return !f.has("position_embeddings"); }},
      {"length_first", "batch_first", "sequences are [length, B, C]",
       [](const Facts& f) { return f.attribute("batch_first") == 0; }},
      {"residual_inside", "residual_inside", "the output contains the residual",
       [](const Facts& f) { return f.attribute("residual_inside") != 0; }},
      {"pre_norm", "pre_norm", "norms before the parts",
       [](const Facts& f) { return f.attribute("pre_norm") != 0; }},
      {"gelu", "gelu", "GELU in the feed-forward part",
       [](const Facts& f) { return f.attribute("gelu") != 0; }},
      {"im2col_step_small", "im2col_step", "fewer at once than the batch has",
       [](const Facts& f) { return f.attribute("im2col_step") < static_cast<double>(f.extent("B")); }},
      {"eps_not_default", "eps", "another epsilon", [](const Facts& f) { return !f.is_default("eps"); }},
      {"one_group", "G", "one group over several channels",
       [](const Facts& f) { return f.extent("G") == 1 && f.extent("M") * f.extent("D") > 1; }},
      {"one_channel_per_group", "G", "groups of a single channel",
       [](const Facts& f) { return f.extent("G") == f.extent("M") * f.extent("D"); }},
      {"several_channels_per_group", "G", "several groups of several channels",
       [](const Facts& f) { return f.extent("G") > 1 && f.extent("G") < f.extent("M") * f.extent("D"); }},
      {"input_projections", kProjection, "projections between the maps and the queries",
       [](const Facts& f) { return f.has(kProjection); }},
      {"zero_variance_row", "features", "a row of one number: a norm divides by the root of eps",
       [](const Facts& f) {
         return f.any_row("hidden_states", is_flat) || f.any_row("inputs_embeds", is_flat) ||
                f.any_row("queries_features.weight", is_flat) || f.any_row("features.0", is_flat);
       }},
      {"large_mean", "features", "features around 1000",
       [](const Facts& f) { return any_feature(f, [](double x) { return x > 900; }); }},
      {"ties", "features", "features and weights of few halves and quarters",
       [](const Facts& f) {
         return any_feature(f, [](double x) { return is_fraction(x, 0.5); }) &&
                f.all_elements("0.weight", [](double x) { return is_fraction(x, 0.25); }) &&
                f.all_elements("_proj.weight", [](double x) { return is_fraction(x, 0.25); });
       }},
      {"zero_weight", "features", "a weight tensor of zeros", has_zero_weight},
      {"large_logits", "attention", "weights that saturate a softmax",
       [](const Facts& f) {
         const auto large = [](double x) { return std::abs(x) > 3; };
         return f.any_element("attention_weights.weight", large) || f.any_element("q_proj.weight", large) ||
                f.any_element("in_proj_weight", large);
       }},
      {"zero_mask_logits", kLastMaskEmbedder, "mask logits that are exactly zero",
       [](const Facts& f) {
         const auto zero = [](double x) { return x == 0; };
         return f.any_element("pixel_embeddings", zero) || f.any_element("mask_features", zero) ||
                (f.all_elements(kLastMaskEmbedder, zero) && f.all_elements("mask_embedder.2.0.bias", zero) &&
                 f.any_tensor([](const NamedTensor& t) { return t.name.ends_with(kLastMaskEmbedder); }));
       }},
      {"small_mask_logits", kLastMaskEmbedder, "mask logits close to zero",
       [](const Facts& f) {
         return f.all_elements(kLastMaskEmbedder, [](double x) { return std::abs(x) < 1e-5; }) &&
                f.any_element(kLastMaskEmbedder, [](double x) { return x != 0; });
       }},
      {"mask_threshold_not_half", "mask_threshold", "a threshold other than 0.5",
       [](const Facts& f) { return !f.is_default("mask_threshold"); }},
      {"target_of_same_size", "target_size", "the mask is not resized",
       [](const Facts& f) { return target(f, 0) == f.extent("H") && target(f, 1) == f.extent("W"); }},
      {"target_larger", "target_size", "the mask is enlarged",
       [](const Facts& f) { return target(f, 0) > f.extent("H") || target(f, 1) > f.extent("W"); }},
      {"target_one_row", "target_size", "the mask is resized to a single row",
       [](const Facts& f) { return target(f, 0) == 1 && f.extent("H") > 1; }},
      {"target_one_column", "target_size", "the mask is resized to a single column",
       [](const Facts& f) { return target(f, 1) == 1 && f.extent("W") > 1; }},
      {"position_not_normalized", "position_normalize", "positions in pixels",
       [](const Facts& f) { return f.attribute("position_normalize") == 0; }},
      {"position_offset", "position_offset", "positions moved by half a pixel",
       [](const Facts& f) { return f.attribute("position_offset") != 0; }},
      {"position_temperature", "position_temperature", "another temperature",
       [](const Facts& f) { return !f.is_default("position_temperature"); }},
      {"non_contiguous_input", "", "an input with strides or an offset",
       [](const Facts& f) { return has_storage_layout(f, false); }},
      {"non_contiguous_parameter", "parameters", "a parameter with strides or an offset",
       [](const Facts& f) { return has_storage_layout(f, true); }},
      {"float32", "floating", "single precision",
       [](const Facts& f) {
         return f.any_tensor([](const NamedTensor& t) { return t.tensor.dtype() == DType::kFloat32; }) ||
                f.attribute("bits") == 32;
       }},
      {"float64", "floating", "double precision",
       [](const Facts& f) {
         return f.any_tensor([](const NamedTensor& t) { return t.tensor.dtype() == DType::kFloat64; }) ||
                f.attribute("bits") == 64;
       }},
  };
  return all;
}

/// Whether a case of the block may have what a rule needs.
bool can_hit(const BlockDefinition& block, const std::string& needs) {
  if (needs.empty() || needs == "floating") return true;
  const Attributes attributes = block.default_attributes();
  if (attributes.contains(needs) || block.extent_attributes().contains(needs)) return true;
  const std::vector<TensorSpec> specs = block.tensors(attributes);
  const auto any = [&](auto holds) { return std::ranges::any_of(specs, holds); };
  const auto is_mask = [](const TensorSpec& spec, const char* axes) {
    return spec.name == "attention_mask" && spec.axes == axes;
  };
  if (needs == "maps") {
    return any(
        [](const TensorSpec& s) { return s.name.starts_with("spatial_shape") || has_extent(s, "H0"); });
  }
  if (needs == "levels") {
    // Where each is an output of its own, their number is fixed.
    const std::vector<std::string> outputs = block.output_names();
    const bool fixed = std::ranges::find(outputs, "multi_scale_features.0") != outputs.end();
    return !fixed && any([](const TensorSpec& s) { return has_extent(s, "L"); });
  }
  if (needs == "padding") return any([&](const TensorSpec& s) { return is_mask(s, "B S"); });
  if (needs == "blocking") return any([&](const TensorSpec& s) { return is_mask(s, "B*M Q K"); });
  if (needs == "parameters" || needs == "features") {
    return any([](const TensorSpec& s) { return is_parameter(s.name); });
  }
  if (needs == "attention") {
    return any([](const TensorSpec& s) {
      return s.name.ends_with("attention_weights.weight") || s.name.ends_with("q_proj.weight");
    });
  }
  if (needs == "sampling_offsets") {
    return any([](const TensorSpec& s) { return s.name.ends_with("sampling_offsets.weight"); });
  }
  if (needs == "optional position_embeddings") {
    return any([](const TensorSpec& s) { return s.name == "position_embeddings" && s.optional; });
  }
  std::string suffix = needs;
  suffix.insert(suffix.begin(), '.');
  return any([&](const TensorSpec& s) {
    return s.name == needs || s.name.ends_with(suffix) || has_extent(s, needs);
  });
}

}  // namespace

DeepTriggers::DeepTriggers(const BlockDefinition& block) : block_(block) {
  for (std::size_t k = 0; k < rules().size(); ++k) {
    if (can_hit(block, rules()[k].needs)) rules_.push_back(k);
  }
}

std::vector<TriggerClass> DeepTriggers::classes() const {
  std::vector<TriggerClass> classes;
  for (const std::size_t k : rules_) classes.push_back({rules()[k].name, rules()[k].description});
  return classes;
}

std::vector<std::string> DeepTriggers::hit(const Case& c) const {
  const DeepFacts facts(block_, c);
  std::vector<std::string> hit;
  for (const std::size_t k : rules_) {
    if (rules()[k].hit(facts)) hit.emplace_back(rules()[k].name);
  }
  return hit;
}

}  // namespace deformdiff
