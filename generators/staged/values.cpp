#include "generators/staged/values.h"

#include "core/dtype_dispatch.h"
#include "generators/common/normal_fill.h"
#include "generators/common/numbers.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace deformdiff {
namespace {

bool has(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

bool is_embedding(std::string_view name) {
  return has(name, "level_embed") || has(name, "queries_features") || has(name, "queries_embedder");
}

/// Weight of a matrix or convolution.
bool is_matrix(const TensorSpec& spec, const Shape& shape) {
  return is_parameter(spec.name) && shape.size() >= 2 && !is_embedding(spec.name);
}

bool is_feature(const TensorSpec& spec) {
  return !is_parameter(spec.name) || is_embedding(spec.name);
}

/// element = mean + scale * n
struct Normal {
  double mean, scale;
};

Normal distribution(const TensorSpec& spec, const Shape& shape) {
  const std::string& name = spec.name;
  if (is_feature(spec)) return {0, 1};
  if (is_matrix(spec, shape)) {
    std::int64_t fan_in = 1;
    for (std::size_t a = 1; a < shape.size(); ++a) fan_in *= shape[a];
    return {0, 1.2 / std::sqrt(static_cast<double>(std::max<std::int64_t>(fan_in, 1)))};
  }
  if (name.ends_with("sampling_offsets.bias")) return {0, 1.5};
  return name.ends_with("weight") ? Normal{1, 0.2} : Normal{0, 0.2};
}

/// The module's result is added to a sum that a norm takes.
bool feeds_norm(std::string_view name) {
  return has(name, "output_proj.") || has(name, "out_proj.") || has(name, "fc2.");
}

template <typename T>
void round_to(std::span<T> elements, double unit) {
  for (T& x : elements) x = static_cast<T>(nearest_multiple(static_cast<double>(x), unit));
}

/// Each run of `inner` elements of equal index elsewhere takes its first one's value, and a little of its
/// own.
template <typename T>
void flatten(std::span<T> elements, std::int64_t inner, double noise) {
  const auto run = static_cast<std::size_t>(std::max<std::int64_t>(inner, 1));
  for (std::size_t first = 0; first + run <= elements.size(); first += run) {
    const T level = elements[first];
    for (std::size_t i = first + 1; i < first + run; ++i) {
      elements[i] = static_cast<T>(static_cast<double>(level) + noise * static_cast<double>(elements[i]));
    }
  }
}

template <typename T>
void twist_parameter(const TensorSpec& spec, const Shape& shape, const Sketch& sketch,
                     const CounterRandom& random, std::span<T> x) {
  const std::string& name = spec.name;
  const auto scale_by = [&](double factor) {
    for (T& element : x) element = static_cast<T>(static_cast<double>(element) * factor);
  };
  if (is_matrix(spec, shape)) {
    if (sketch.has(Twist::kZeroWeights) && random.below(0, 3) == 0) scale_by(0);
    if (sketch.has(Twist::kSparseWeights)) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (random.below(i + 1, 4) != 0) x[i] = 0;
      }
    }
    const bool logits = has(name, "attention_weights.") || has(name, "q_proj.") || has(name, "k_proj.") ||
                        has(name, "in_proj_");
    if (sketch.has(Twist::kLargeLogits) && logits) scale_by(16);
  }
  if (sketch.has(Twist::kTies)) round_to(x, 0.25);
  if (has(name, "sampling_offsets.")) {
    if (sketch.has(Twist::kFarOffsets)) scale_by(name.ends_with("bias") ? 1000 : 30);
    if (sketch.has(Twist::kPixelOffsets)) {
      if (name.ends_with("weight")) scale_by(0);
      round_to(x, 0.5);
    }
  }
  if (sketch.has(Twist::kFlatRows) && feeds_norm(name)) {
    std::ranges::fill(x, name.ends_with("bias") ? T(0.5) : T(0));
  }
  if (has(name, "mask_embedder.2.0.")) {
    if (sketch.has(Twist::kSmallMaskLogits)) scale_by(1e-6);
    // Weight and bias together, and not always: zeros of the pixels, below, do for some logits only.
    if (sketch.has(Twist::kZeroMaskLogits) && sketch.dtype == DType::kFloat32) scale_by(0);
  }
}

template <typename T>
void twist_feature(const TensorSpec& spec, const Shape& shape, const Sketch& sketch,
                   const CounterRandom& random, std::span<T> x) {
  if (sketch.has(Twist::kWideRange)) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto exponent = static_cast<int>(random.below(i + 1, 25)) - 12;
      x[i] = static_cast<T>(std::ldexp(static_cast<double>(x[i]), exponent));
    }
  }
  if (sketch.has(Twist::kTies)) round_to(x, 0.5);
  const bool map = shape.size() == 4;
  if (sketch.has(Twist::kFlatRows) && !has(spec.name, "position")) {
    const std::int64_t run = map ? shape[2] * shape[3] : shape.empty() ? 1 : shape.back();
    flatten(x, run, random.below(0, 2) == 0 ? 0 : 1e-4);
  }
  if (sketch.has(Twist::kLargeMean)) {
    for (T& element : x) element = static_cast<T>(static_cast<double>(element) + 1000);
  }
  if (sketch.has(Twist::kZeroMaskLogits) && map &&
      (spec.name == "pixel_embeddings" || spec.name == "mask_features")) {
    const auto pixels = static_cast<std::size_t>(shape[2] * shape[3]);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (random.below(1 + i % pixels, 2) == 0) x[i] = 0;
    }
  }
}

template <typename T>
Tensor make(const TensorSpec& spec, const Shape& shape, const Sketch& sketch, const CounterRandom& random) {
  std::vector<T> elements(static_cast<std::size_t>(element_count(shape)));
  fill_normal(random, elements.size(), elements.data());
  const Normal normal = distribution(spec, shape);
  if (normal.mean != 0 || normal.scale != 1) {
    for (T& x : elements) x = static_cast<T>(normal.mean) + static_cast<T>(normal.scale) * x;
  }
  const CounterRandom choices = random.stream(1);
  if (!sketch.twists.empty() && !elements.empty()) {
    if (is_feature(spec)) {
      twist_feature<T>(spec, shape, sketch, choices, elements);
    } else {
      twist_parameter<T>(spec, shape, sketch, choices, elements);
    }
  }
  return Tensor::of<T>(sketch.dtype, shape, elements);
}

}  // namespace

Tensor make_floating(const TensorSpec& spec, const Shape& shape, const Sketch& sketch,
                     const CounterRandom& random) {
  return with_floating(sketch.dtype,
                       [&](auto zero) { return make<decltype(zero)>(spec, shape, sketch, random); });
}

}  // namespace deformdiff
