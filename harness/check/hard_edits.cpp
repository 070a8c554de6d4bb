#include "check/hard_edits.h"

#include "blocks/extents.h"
#include "check/aimed_inputs.h"
#include "check/block_operations.h"
#include "core/random.h"
#include "generators/common/numbers.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace deformdiff {
namespace {

/// Whether the elements of an input may be multiplied by a number: what is no place and no fraction.
bool is_feature(const EditContext& context, const NamedTensor& input) {
  static const std::set<std::string_view> kPlaces{"reference_points", "valid_ratios"};
  return !is_parameter(input.name) && is_floating(input.tensor.dtype()) && !kPlaces.contains(input.name) &&
         context.takes(input.name);
}

template <typename Change>
bool change_features(const EditContext& context, Case& c, const Change& change) {
  bool any = false;
  for (const NamedTensor& input : std::vector<NamedTensor>(c.inputs)) {
    if (!is_feature(context, input)) continue;
    const std::int64_t length = std::max<std::int64_t>(1, input.tensor.shape().back());
    any = set_rows(c, input.name, [&](std::int64_t row, std::int64_t column) {
      return change(input.tensor.element(row * length + column));
    });
  }
  return any;
}

bool scale_features(const EditContext& context, Case& c, double factor) {
  return change_features(context, c, [factor](double x) { return factor * x; });
}

/// Rows of N(mean, deviation).
bool give_normal_rows(const EditContext& context, Case& c, double mean, double deviation) {
  const CounterRandom random(c.provenance.seed);
  return give_to_first_norm(
      context.entry, c,
      [&](std::int64_t row, std::int64_t column) {
        const CounterRandom of_row = random.stream(static_cast<std::uint64_t>(row));
        return mean + deviation * normal(of_row.bits(static_cast<std::uint64_t>(column)));
      },
      context.threads);
}

/// Norms of groups are given maps of one number a channel.
bool make_uniform(const EditContext& context, Case& c) {
  bool any = false;
  for (const NamedTensor& input : std::vector<NamedTensor>(c.inputs)) {
    if (!is_feature(context, input) || input.tensor.shape().size() != 4) continue;
    const std::int64_t width = input.tensor.dim(3), pixels = input.tensor.dim(2) * width;
    any = set_rows(c, input.name, [&](std::int64_t row, std::int64_t column) {
      return 10 * input.tensor.element((row * width + column) / pixels * pixels);
    });
  }
  return any;
}

/// Features and positions of few bits whose sum is the same in each row, to the bit.
void make_sum_equal(Case& c, const char* features, const char* positions) {
  const Tensor given = c.input(features), places = c.input(positions);
  const std::int64_t channels = given.shape().back(), images = given.dim(1);
  const auto rounded = [&](std::int64_t row, std::int64_t column) {
    return nearest_multiple(given.element(row * channels + column), 0.125);
  };
  set_rows(c, features, rounded);
  set_rows(c, positions, [&](std::int64_t row, std::int64_t column) {
    const double sum = nearest_multiple(places.element(row % images * channels + column), 0.125);
    return sum - rounded(row, column);
  });
}

}  // namespace

/// Maps are resized to each other's sizes, or to a given one.
bool resizes(const EditContext& context, Case& c) {
  const std::vector<TensorSpec> specs = context.source.block.tensors(c.attributes);
  const auto has = [&](const char* extent) {
    return std::ranges::any_of(specs, [&](const TensorSpec& spec) { return has_extent(spec, extent); });
  };
  return c.find_input("target_size") != nullptr || (has("H") && has("H0"));
}

bool resizes_masks(const EditContext& context, Case& c) {
  return has_operation(context.source.block, c, "threshold");
}

bool resizes_levels_alone(const EditContext& context, Case& c) {
  return resizes(context, c) && !resizes_masks(context, c);
}

/// A map is no level, but stands by itself.
bool has_finest(const EditContext& context, Case& c) {
  const std::vector<TensorSpec> specs = context.source.block.tensors(c.attributes);
  return c.find_input("spatial_shape") != nullptr ||
         std::ranges::any_of(specs, [](const TensorSpec& spec) { return has_extent(spec, "H"); });
}

bool counts_alone(const EditContext& context, Case& /*c*/) {
  return context.source.parameters.empty();
}

bool equal_rows(const EditContext& context, Case& c) {
  if (has_operation(context.source.block, c, "group_norm")) return make_uniform(context, c);
  // Far from zero, and with neighbours that a sum of their squares cannot hold.
  return give_to_first_norm(
      context.entry, c, [](std::int64_t row, auto) { return 11.1 * static_cast<double>(1 + row % 3); },
      context.threads);
}

/// A variance of 9e-6, about the usual epsilon: whether 1e-5, 1e-6 or nothing is added to it shows.
bool small_variance(const EditContext& context, Case& c) {
  constexpr double kDeviation = 3e-3;
  if (has_operation(context.source.block, c, "group_norm")) return scale_features(context, c, kDeviation);
  return give_normal_rows(context, c, 0, kDeviation);
}

bool large_mean(const EditContext& context, Case& c) {
  constexpr double kMean = 1000;
  if (!has_operation(context.source.block, c, "layer_norm") &&
      !has_operation(context.source.block, c, "group_norm"))
    return false;
  return give_normal_rows(context, c, kMean, 1) ||
         change_features(context, c, [](double x) { return kMean + x; });
}

bool equal_scores(const EditContext& context, Case& c) {
  if (!context.takes("query_position_embeddings") || !context.takes("position_embeddings")) return false;
  make_sum_equal(c, "encoder_hidden_states", "position_embeddings");
  return true;
}

bool one_open_key(const EditContext& context, Case& c) {
  if (!context.takes("attention_mask")) return false;
  const std::int64_t keys = c.input("attention_mask").shape().back();
  return set_rows(c, "attention_mask",
                  [keys](std::int64_t row, std::int64_t key) { return key == (5 * row + 1) % keys ? 0 : 1; });
}

bool last_image_masked(const EditContext& context, Case& c) {
  bool any = false;
  for (const auto& [mask, open] : {std::pair{"attention_mask", 0}, std::pair{"mask", 1}}) {
    if (!context.takes(mask)) continue;
    const Tensor& given = c.input(mask);
    const std::int64_t length = given.shape().back(), rows = given.elements() / length,
                       images = context.source.block.dimensions(c).at("B");
    any = set_rows(c, mask, [=](std::int64_t row, std::int64_t column) {
      return row * images / rows == images - 1 && 2 * column >= length ? 1 - open : open;
    });
  }
  return any;
}

/// Features of one value a channel, whose sign one pixel has changed: so have its mask logits.
bool one_blocked_key(const EditContext& context, Case& c) {
  if (!context.takes("mask_features") || !has_operation(context.source.block, c, "unblock_rows"))
    return false;
  const Tensor given = c.input("mask_features");
  const std::int64_t width = given.dim(3), pixels = given.dim(2) * width;
  return set_rows(c, "mask_features", [&](std::int64_t row, std::int64_t column) {
    const std::int64_t at = row * width + column;
    const double uniform = given.element(at / pixels * pixels);
    return at % pixels == pixels / 2 ? -uniform : uniform;
  });
}

namespace {

/// What masks are made of, where they are a threshold's and the module takes it: `change` of the maps, row
/// and column.
template <typename Change>
bool change_masks(const EditContext& context, Case& c, const Change& change) {
  if (!has_operation(context.source.block, c, "threshold")) return false;
  bool any = false;
  for (const char* maps : {"pixel_embeddings", "mask_features"}) {
    if (!context.takes(maps)) continue;
    const Tensor given = c.input(maps);
    any =
        set_rows(c, maps, [&](std::int64_t row, std::int64_t column) { return change(given, row, column); });
  }
  return any;
}

}  // namespace

/// Every logit a millionth of an ordinary one.
bool near_threshold(const EditContext& context, Case& c) {
  return change_masks(context, c, [](const Tensor& maps, std::int64_t row, std::int64_t column) {
    return 1e-6 * maps.element(row * maps.dim(3) + column);
  });
}

/// Squares of two by two pixels whose mean is 1e-4 of ordinary logits, less than what float16 or bfloat16
/// lose of each pixel, and far more than float32 does.
bool cancelling(const EditContext& context, Case& c) {
  return change_masks(context, c, [](const Tensor& maps, std::int64_t row, std::int64_t column) {
    const std::int64_t width = maps.dim(3), pixels = maps.dim(2) * width, at = row * width + column;
    const double uniform = maps.element(at / pixels * pixels);
    return ((row + column) % 2 == 0 ? uniform : -uniform) + 1e-4 * maps.element(at);
  });
}

/// The exponentials of what a softmax is given overflow unless their largest is taken off.
bool large_scores(const EditContext& context, Case& c) {
  // Scores of queries and keys grow with the square. Even so they stay below 1e4, which some take for minus
  // infinity.
  const double factor = context.takes("query_position_embeddings") ? 32 : 512;
  return has_operation(context.source.block, c, "softmax") && scale_features(context, c, factor);
}

}  // namespace deformdiff
