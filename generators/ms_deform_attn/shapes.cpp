#include "generators/ms_deform_attn/shapes.h"

#include "generators/ms_deform_attn/gradients.h"
#include "generators/ms_deform_attn/locations.h"
#include "generators/ms_deform_attn/values.h"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::ms_deform_attn {
namespace {

struct Model {
  std::string_view name;
  std::vector<Level> levels;
  std::int64_t queries;  ///< 0: as many as pixels
};

const std::vector<Model>& models() {
  static const std::vector<Level> ddetr{{100, 167, 0}, {50, 84, 0}, {25, 42, 0}, {13, 21, 0}};
  static const std::vector<Model> all{{"m2f_enc", {{25, 42, 0}, {50, 84, 0}, {100, 167, 0}}, 0},
                                      {"ddetr_enc", ddetr, 0},
                                      {"ddetr_dec", ddetr, 300},
                                      {"small256", {{8, 8, 0}, {16, 16, 0}, {32, 32, 0}}, 0}};
  return all;
}

/// Levels one after the other; sets S and L.
void complete(Sketch& s) {
  s.dims.S = 0;
  for (Level& level : s.levels) {
    level.start = s.dims.S;
    s.dims.S += level.height * level.width;
  }
  s.dims.L = static_cast<std::int64_t>(s.levels.size());
}

Case fill(const Sketch& s, const LocationStyle& locations, ValueStyle values, std::uint64_t seed) {
  const CounterRandom random(seed);
  return assemble(s, make_value(s, values, random.stream(1)), make_locations(s, locations, random.stream(2)),
                  make_weights(s, WeightStyle::kNormalised, random.stream(3)));
}

Sketch large_sketch(std::uint64_t variant) {
  Sketch s;
  switch (variant) {
    case 0:  // the second level's rows lie beyond 2^24
      s.dims = {1, 0, 1, 1, 61, 0, 4};
      s.levels = {{4096, 4097, 0}, {301, 37, 0}};
      break;
    case 1:  // the last batch's elements lie beyond 2^24
      s.dims = {9, 0, 5, 7, 11, 0, 3};
      s.levels = {{275, 218, 0}};
      break;
    case 2:  // rows of 256 channels beyond 2^24
      s.dims = {1, 0, 8, 32, 29, 0, 4};
      s.levels = {{255, 257, 0}, {33, 31, 0}};
      break;
    case 3:  // more than 65535 blocks of 16 groups
      s.dims = {1, 0, 1, 3, 1048583, 0, 1};
      s.levels = {{5, 7, 0}};
      break;
    case 4:  // more than 2^24 coordinates
      s.dims = {1, 0, 4, 1, 70001, 0, 6};
      s.levels = {{31, 17, 0}, {1, 9, 0}, {13, 1, 0}, {8, 8, 0}, {3, 5, 0}};
      break;
    default:  // many threads at once, a batch of more than one step
      s.dims = {67, 0, 3, 33, 331, 0, 2};
      s.levels = {{7, 5, 0}, {3, 4, 0}};
      break;
  }
  complete(s);
  return s;
}

Case very_large(std::uint64_t variant, std::uint64_t seed) {
  LocationStyle style{};
  style.mix = mix_of({{Place::kInside, 4}, {Place::kCentre, 1}, {Place::kAround, 1}});
  Case c = fill(large_sketch(variant), style, ValueStyle::kNormal, seed);
  c.provenance.tier = "adversarial";
  return c;
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Model& model : models()) names.emplace_back(model.name);
  return names;
}

Case assemble(const Sketch& sketch, Tensor value, Tensor locations, Tensor weights) {
  std::vector<std::int64_t> shapes;
  std::vector<std::int64_t> starts;
  for (const Level& level : sketch.levels) {
    shapes.insert(shapes.end(), {level.height, level.width});
    starts.push_back(level.start);
  }
  const auto levels = static_cast<std::int64_t>(sketch.levels.size());
  Case c;
  c.block = block().name();
  c.attributes["im2col_step"] = sketch.im2col_step;
  c.inputs = {{"value", std::move(value)},
              {"spatial_shapes", int64_tensor({levels, 2}, shapes)},
              {"level_start_index", int64_tensor({levels}, starts)},
              {"sampling_loc", std::move(locations)},
              {"attn_weight", std::move(weights)}};
  return c;
}

Case model_case(std::string_view name, std::string_view locations, DType dtype, std::uint64_t seed) {
  if (locations != "near" && locations != "uniform") {
    throw InputError(fmt::format("locations '{}' are unknown; use near or uniform", locations));
  }
  for (const Model& model : models()) {
    if (model.name != name) continue;
    Sketch s;
    s.dtype = dtype;
    s.levels = model.levels;
    s.dims = {1, 0, 8, 32, 0, 0, 4};
    complete(s);
    s.dims.Q = model.queries == 0 ? s.dims.S : model.queries;
    LocationStyle style{};
    style.mix = mix_of({{Place::kInside, 1}});
    style.near_reference = locations == "near";
    style.queries_are_pixels = model.queries == 0;
    Case c = fill(s, style, ValueStyle::kNormal, seed);
    c.provenance = {fmt::format("{}/{}", name, locations), "typical", seed, 0};
    return c;
  }
  throw InputError(
      fmt::format("model shape '{}' is unknown; known: {}", name, fmt::join(model_names(), ", ")));
}

Case backward_case(Case c, std::uint64_t seed) {
  const Problem problem = parse(c);
  Tensor gradient =
      make_gradient(problem.dims, problem.dtype, GradientStyle::kNormal, CounterRandom(seed).stream(4));
  c.block = backward_block().name();
  c.inputs.push_back({"grad_output", std::move(gradient)});
  return c;
}

Case standard_case(std::uint64_t seed, std::uint64_t index) {
  const std::uint64_t key = CounterRandom(seed).stream(0x57d).bits(index);
  Draw draw(key);
  Sketch s;
  s.dims = {
      draw.between(1, 3), 0, draw.between(1, 8), draw.between(1, 40), draw.between(1, 64), draw.between(1, 4),
      draw.between(1, 8)};
  for (std::int64_t l = 0; l < s.dims.L; ++l)
    s.levels.push_back({draw.between(1, 32), draw.between(1, 32), 0});
  complete(s);
  LocationStyle style{};
  style.mix = mix_of({{Place::kAround, 2}, {Place::kCentre, 1}, {Place::kBorder, 1}});
  Case c = fill(s, style, ValueStyle::kNormal, key);
  c.provenance = {"standard", "standard", seed, index};
  return c;
}

Case large_case(std::uint64_t period, std::uint64_t seed) {
  static constexpr std::uint64_t kBeyond24Bits = 3;
  if (period % 2 == 0) return very_large(period / 2 % kBeyond24Bits, seed);
  const DType dtype = (period / 20) % 2 == 0 ? DType::kFloat32 : DType::kFloat64;
  switch (period / 2 % 10) {
    case 0:
      return model_case("ddetr_dec", "near", dtype, seed);
    case 1:
      return very_large(3, seed);
    case 2:
      return model_case("small256", "near", dtype, seed);
    case 3:
      return very_large(5, seed);
    case 4:
      return very_large(4, seed);
    case 5:
      return model_case("ddetr_dec", "uniform", dtype, seed);
    case 6:
      return model_case("small256", "uniform", dtype, seed);
    case 7:
      return very_large(3, seed);
    case 8:
      return very_large(5, seed);
    default:
      return model_case((period / 20) % 2 == 0 ? "m2f_enc" : "ddetr_enc", "near", dtype, seed);
  }
}

}  // namespace deformdiff::ms_deform_attn
