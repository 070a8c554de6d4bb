#include "generators/ms_deform_attn/sketch.h"

#include "core/error.h"
#include "generators/ms_deform_attn/levels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

using Extents = std::vector<std::int64_t>;

/// Multiply-adds that sizes without conditions make room for.
constexpr std::int64_t kMostWork = std::int64_t{1} << 20;

/// Products that conditions may ask for: the count of bytes of the largest tensor of such a case is far from
/// overflowing, and the time that it takes is beyond use.
constexpr double kLargestWork = 0x1p40;

/// Axes whose extents may be extreme while the others make room.
enum Axis : std::size_t { kN, kQ, kM, kD, kL, kP, kAxes };

std::array<std::int64_t*, kAxes> axes_of(Dims& d) {
  return {&d.N, &d.Q, &d.M, &d.D, &d.L, &d.P};
}

/// Sizes at which kernels change their ways: warps, blocks, vector widths, unrolled and shared-memory limits.
const std::array<Extents, kAxes>& extreme_extents() {
  static const std::array<Extents, kAxes> extents{
      Extents{5, 7, 8, 9, 11, 16, 17, 31, 32, 33, 48, 63, 64, 65, 66, 70, 96, 127, 128, 129, 130, 200},
      Extents{13,  16,  17,  31,  32,  33,  63,  64,   65,   67,   100,  127,  128,  129,  255,
              256, 257, 300, 511, 512, 513, 997, 1023, 1024, 1025, 2047, 2049, 4095, 4096, 4097},
      Extents{5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 23, 24, 31, 32, 33, 63, 64, 65, 129},
      Extents{65,  67,  71,  80,  95,  96,  97,  127, 128,  129,  160,  191,  192,  193,  255,  256,
              257, 300, 384, 511, 512, 513, 640, 768, 1000, 1023, 1024, 1025, 1536, 2047, 2048, 2049},
      Extents{5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 11, 12, 13, 15, 16, 17, 18, 33, 65},
      Extents{6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 23, 24, 31, 32, 33, 40, 64, 65, 129}};
  return extents;
}

DType draw_dtype(Draw& draw) {
  return draw.chance(60) ? DType::kFloat32 : DType::kFloat64;
}

/// Reduces the axes that are not `fixed`, the largest first, until the case takes at most `budget`
/// multiply-adds.
void fit(Dims& dims, const std::array<bool, kAxes>& fixed, std::int64_t budget) {
  const auto axes = axes_of(dims);
  while (multiply_adds(dims) > budget) {
    std::int64_t* largest = nullptr;
    for (std::size_t a = 0; a < kAxes; ++a) {
      if (!fixed[a] && *axes[a] > 1 && (largest == nullptr || *axes[a] > *largest)) largest = axes[a];
    }
    if (largest == nullptr) return;
    *largest = (2 * *largest) / 3;
  }
}

std::int64_t draw_channels(Draw& draw) {
  switch (draw.share_of({55, 25, 20})) {
    case 0:
      return draw.between(1, 64);
    case 1:
      return draw.between(1, 9);
    default:
      return draw.one_of<std::int64_t>({1, 2, 3, 4, 8, 16, 24, 30, 32, 33, 40, 48, 64});
  }
}

/// Extents with the product N*Q*M on either side of the number of blocks or threads that a grid may have.
Dims draw_many_groups(Draw& draw) {
  const auto limit = draw.one_of<std::int64_t>({1024, 2048, 4096, 4096, 8192, 16384, 32768, 65536, 65536});
  Dims dims{draw.between(1, 3), 0, draw.between(1, 4), draw.one_of<std::int64_t>({1, 1, 2, 3, 4, 5}), 0, 1,
            draw.between(1, 2)};
  dims.Q = std::max<std::int64_t>(1, limit / (dims.N * dims.M) + draw.between(-1, 2));
  if (limit <= 4096) dims.L = draw.between(1, 3);
  if (limit > 16384) dims.D = draw.between(1, 2);
  return dims;
}

/// More than 4096 blocks of 512 threads: N*Q*M*D over 2^21, or on either side of 4096 * 512 / D groups.
Dims draw_many_threads(Draw& draw) {
  Dims dims{
      draw.between(1, 2), 0, draw.between(1, 3), draw.one_of<std::int64_t>({16, 32, 33, 64, 127}), 0, 1, 1};
  const std::int64_t limit = draw.one_of<std::int64_t>({1 << 20, 1 << 21, 1 << 21});
  dims.Q = limit / (dims.N * dims.M * dims.D) + draw.between(0, 4);
  return dims;
}

Dims draw_extreme_dims(Draw& draw) {
  Dims dims{
      draw.between(1, 4), 0, draw.between(1, 5), draw_channels(draw), draw.between(1, 14), draw.between(1, 4),
      draw.between(1, 5)};
  std::array<bool, kAxes> fixed{};
  const auto axes = axes_of(dims);
  for (std::size_t features = draw.share_of({30, 50, 20}); features > 0; --features) {
    const std::size_t axis = draw.share_of({18, 16, 16, 22, 14, 14});
    fixed[axis] = true;
    *axes[axis] = draw.one_of(extreme_extents()[axis]);
  }
  fit(dims, fixed, draw.magnitude(1 << 11, 1 << 17));
  return dims;
}

Dims draw_adversarial_dims(Draw& draw) {
  switch (draw.share_of({9700, 285, 15})) {
    case 0:
      return draw_extreme_dims(draw);
    case 1:
      return draw_many_groups(draw);
    default:
      return draw_many_threads(draw);
  }
}

std::int64_t draw_step(Draw& draw, std::int64_t batch) {
  switch (draw.share_of({35, 30, 35})) {
    case 0:
      return 64;
    case 1:
      return draw.one_of<std::int64_t>({1, 2, 3, 4, 5, 7, 8, 16, 32, 33, 63, 65, 100, 128, 256});
    default:
      return std::max<std::int64_t>(1, draw.one_of<std::int64_t>({batch - 1, batch, batch + 1, batch / 2,
                                                                  (batch + 1) / 2, 2 * batch, batch / 3}));
  }
}

/// Reduces the axes that are not `fixed` until maps of S pixels have at most `budget` elements.
void fit_value(Dims& dims, const std::array<bool, kAxes>& fixed, std::int64_t budget) {
  const auto axes = axes_of(dims);
  for (const Axis axis : {kN, kD, kM}) {
    std::int64_t& extent = *axes[axis];
    while (!fixed[axis] && extent > 1 && dims.N * dims.M * dims.D * dims.S > budget) extent = extent / 2;
  }
}

/// The extents that conditions speak of as these say; the others make room. S stays 0 if it is free.
void choose_dims(Dims& dims, const SizeChoice& choice, Draw& draw) {
  if (!choice.any()) return;
  static constexpr std::array<const char*, kAxes> kNames{"N", "Q", "M", "D", "L", "P"};
  std::array<bool, kAxes> fixed{};
  const auto axes = axes_of(dims);
  for (std::size_t a = 0; a < kAxes; ++a) {
    fixed[a] = choice.names(kNames[a]);
    const std::int64_t most = a == kL ? choice.most_levels() : kLargestSize;
    *axes[a] = choice.fit(kNames[a], std::min(*axes[a], most), 1, most, draw);
  }
  double work = 1;
  for (std::size_t a = 0; a < kAxes; ++a) work *= fixed[a] ? static_cast<double>(*axes[a]) : 1;
  if (work > kLargestWork) {
    throw InputError(
        fmt::format("--only {}: a case would have {:.3g} products N*Q*M*D*L*P, and {:.3g} are the "
                    "most that one may have",
                    choice.text(), work, kLargestWork));
  }
  fit(dims, fixed, kMostWork);
  if (!choice.names("S")) return;
  dims.S = choice.fit("S", std::max(dims.L, draw.magnitude(1, 1 << 12)), dims.L, kLargestSize, draw);
  fit_value(dims, fixed, kMostWork);
}

/// Places the levels; where S is chosen, as many pixels as it says. Sides that must be powers of two leave
/// rows over.
void place(Sketch& sketch, Starts starts, bool power_of_two, Draw& draw) {
  const std::int64_t rows = sketch.dims.S;
  if (rows > 0) {
    std::vector<Sides> maps;
    for (const Level& level : sketch.levels) maps.push_back({level.height, level.width});
    fill_pixels(maps, rows);
    for (std::size_t l = 0; l < maps.size(); ++l) {
      const auto side = [&](std::int64_t n) {
        return power_of_two ? static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(n))) : n;
      };
      sketch.levels[l] = {side(maps[l].height), side(maps[l].width), 0};
    }
    starts = Starts::kConsecutive;
  }
  sketch.dims.S = std::max(rows, place_levels(sketch.levels, starts, draw));
}

Sketch draw_any(Draw& draw, bool power_of_two, const SizeChoice& choice) {
  Sketch sketch;
  sketch.dtype = draw_dtype(draw);
  sketch.dims = draw_adversarial_dims(draw);
  Dims& dims = sketch.dims;
  choose_dims(dims, choice, draw);
  const std::int64_t rows = draw.magnitude(1 << 11, 1 << 17) / (dims.N * dims.M * dims.D);
  sketch.levels = draw_levels(draw, dims.L, std::max<std::int64_t>(1, rows / dims.L), power_of_two);
  if (!power_of_two && dims.N * dims.M * dims.D <= 16 && draw.chance(25)) {
    sketch.levels[static_cast<std::size_t>(draw.between(0, dims.L - 1))] = draw_long_level(draw);
  }
  place(sketch, draw_starts(draw), power_of_two, draw);
  sketch.im2col_step = choice.fit("im2col_step", draw_step(draw, dims.N), 1, kLargestSize, draw);
  return sketch;
}

}  // namespace

const std::vector<std::string>& size_names() {
  static const std::vector<std::string> names{"N", "S", "M", "D", "Q", "L", "P", "im2col_step"};
  return names;
}

Sketch draw_typical(Draw& draw, const SizeChoice& choice) {
  Sketch sketch;
  sketch.dtype = draw_dtype(draw);
  Dims& dims = sketch.dims;
  dims.N = draw.one_of<std::int64_t>({1, 1, 1, 2, 2, 3});
  dims.M = draw.one_of<std::int64_t>({4, 8, 8});
  dims.D = draw.one_of<std::int64_t>({16, 32, 32, 64});
  dims.L = draw.between(3, 4);
  dims.P = draw.one_of<std::int64_t>({4, 4, 8});
  dims.Q = 1;
  choose_dims(dims, choice, draw);
  const std::int64_t rows = draw.magnitude(1 << 13, 1 << 17) / (dims.N * dims.M * dims.D);
  // The levels' areas are a, 4a, 16a, ...: together less than 4^L a / 3. Beyond four levels they stay.
  const std::int64_t growing = std::min<std::int64_t>(dims.L, 4);
  const std::int64_t first_area = std::max<std::int64_t>(2, 3 * rows >> (2 * growing));
  std::int64_t height = std::min<std::int64_t>(draw.between(1, 25), first_area);
  std::int64_t width = std::max<std::int64_t>(1, first_area / height);
  for (std::int64_t l = 0; l < dims.L; ++l) {
    sketch.levels.push_back({height, width, 0});
    if (l + 1 >= growing && growing < dims.L) continue;
    height = 2 * height - (height > 1 ? draw.between(0, 1) : 0);
    width = 2 * width - (width > 1 ? draw.between(0, 1) : 0);
  }
  if (draw.chance(25)) std::ranges::reverse(sketch.levels);
  place(sketch, Starts::kConsecutive, false, draw);
  const std::int64_t affordable =
      std::max<std::int64_t>(1, draw.magnitude(1 << 13, 1 << 17) / multiply_adds(dims));
  dims.Q = draw.chance(15) && dims.S <= 2 * affordable ? dims.S : draw.between(1, 2 * affordable);
  dims.Q = choice.fit("Q", dims.Q, 1, kLargestSize, draw);
  sketch.im2col_step = choice.fit("im2col_step", sketch.im2col_step, 1, kLargestSize, draw);
  return sketch;
}

Sketch draw_adversarial(Draw& draw, const SizeChoice& choice) {
  return draw_any(draw, false, choice);
}

Sketch draw_exact(Draw& draw, const SizeChoice& choice) {
  return draw_any(draw, true, choice);
}

Sketch draw_beyond(Limit limit, Draw& draw) {
  Sketch sketch;
  sketch.dtype = draw_dtype(draw);
  Dims& dims = sketch.dims;
  dims = {1, 0, draw.between(1, 2), draw.between(1, 3), 1, 1, 1};
  sketch.levels = draw_levels(draw, dims.L, 16, false);
  switch (limit) {
    case Limit::kQueries16Bits:
      dims.Q = draw.one_of<std::int64_t>({65536, 65537, 65600, 70001});
      break;
    case Limit::kBatchInABlock:
      dims.N = draw.one_of<std::int64_t>({1025, 1026, 1100, 2047, 2049, 4097});
      break;
    case Limit::kBatchInAGrid:
      sketch.levels = {{1, draw.between(1, 2), 0}};
      dims.N = draw.one_of<std::int64_t>({65536, 65537, 65600, 70001});
      break;
    case Limit::kSideSigned16Bits: {
      const Extents lengths{32768, 32769, 40000, 65536, 65537, 70001};
      sketch.levels = {{1, draw.one_of(lengths), 0}};
      if (draw.chance(50)) std::swap(sketch.levels[0].height, sketch.levels[0].width);
      dims.Q = draw.between(16, 64);
      break;
    }
  }
  place(sketch, Starts::kConsecutive, false, draw);
  sketch.im2col_step = draw_step(draw, dims.N);
  return sketch;
}

Sketch draw_degenerate(Draw& draw, const SizeChoice& choice) {
  Sketch sketch;
  sketch.dtype = draw_dtype(draw);
  Dims& dims = sketch.dims;
  const auto small = [&] { return draw.chance(50) ? std::int64_t{1} : draw.between(1, 5); };
  dims = {small(), 0, small(), small(), small(), small(), small()};
  switch (draw.share_of({20, 20, 5, 5, 5, 45})) {
    case 0:
      dims.N = 0;
      break;
    case 1:
      dims.Q = 0;
      break;
    case 2:
      dims.M = 0;
      break;
    case 3:
      dims.D = 0;
      break;
    case 4:
      dims.P = 0;
      break;
    default:
      break;
  }
  choose_dims(dims, choice, draw);
  for (std::int64_t l = 0; l < dims.L; ++l) {
    sketch.levels.push_back(
        {draw.chance(60) ? 1 : draw.between(1, 4), draw.chance(60) ? 1 : draw.between(1, 4), 0});
  }
  place(sketch, draw_starts(draw), false, draw);
  sketch.im2col_step = choice.fit("im2col_step", draw_step(draw, dims.N), 1, kLargestSize, draw);
  return sketch;
}

Sketch draw_huge(Draw& draw, const SizeChoice& choice) {
  constexpr std::int64_t kProducts = std::int64_t{1} << 31;
  constexpr double kMostElements = 1 << 24;
  // As a double, which no sizes overflow.
  const auto check_small = [&](const char* what, std::initializer_list<std::int64_t> sizes) {
    double elements = 1;
    for (const std::int64_t size : sizes) elements *= static_cast<double>(size);
    if (elements <= kMostElements) return;
    throw InputError(
        fmt::format("--only {}: a case of tier huge would have {:.3g} {}, and should be small; "
                    "leave it more channels (D) and fewer of the other sizes",
                    choice.text(), elements, what));
  };
  Sketch sketch;
  sketch.dtype = draw_dtype(draw);
  const auto size = [&](const char* name, const Extents& sizes) {
    return choice.fit(name, draw.one_of(sizes), 1, kLargestSize, draw);
  };
  Dims& dims = sketch.dims;
  dims = {size("N", {1, 1, 2, 3}), 0, size("M", {1, 2, 8}), size("D", {2048, 4096, 4099}), 1,
          size("L", {1, 3, 4}),    1};
  dims.P = choice.fit("P", 256 / dims.L + 1, 1, kLargestSize, draw);
  check_small("points", {dims.N, dims.M, dims.L, dims.P});
  const std::int64_t queries = kProducts / products(dims) + draw.between(1, 3);
  dims.Q = choice.fit("Q", queries, queries, kLargestSize, draw);
  check_small("points", {dims.N, dims.Q, dims.M, dims.L, dims.P});
  if (choice.names("S")) dims.S = choice.fit("S", dims.L, dims.L, kLargestSize, draw);
  sketch.levels = draw_levels(draw, dims.L, 16, false);
  place(sketch, draw_starts(draw), false, draw);
  check_small("elements of value", {dims.N, dims.S, dims.M, dims.D});
  sketch.im2col_step = choice.fit("im2col_step", draw_step(draw, dims.N), 1, kLargestSize, draw);
  return sketch;
}

}  // namespace deformdiff::ms_deform_attn
