// resize against the formulas in use, in T.
#include "oracles/operations/cases_test.h"

#include <algorithm>

namespace deformdiff::operation {
namespace {

template <typename T>
class Resizing : public testing::Test {};
TYPED_TEST_SUITE(Resizing, Floats);

enum class Source { kScale, kQuotient, kAffine, kGrid, kGridReciprocal };
enum class Blend { kProducts, kNested, kLerp, kLerpFromFar };

template <typename T>
struct Place {
  std::int64_t first, second;
  T fraction;
};

template <typename T>
Place<T> place(std::int64_t i, std::int64_t in, std::int64_t out, Source source) {
  const T scale = static_cast<T>(in) / static_cast<T>(out), t = static_cast<T>(i);
  T position = (t + T(0.5)) * scale - T(0.5);
  if (source == Source::kQuotient)
    position = (t + T(0.5)) * static_cast<T>(in) / static_cast<T>(out) - T(0.5);
  if (source == Source::kAffine) position = t * scale + (scale * T(0.5) - T(0.5));
  if (source == Source::kGrid || source == Source::kGridReciprocal) {
    // grid_sample, clamped to the border.
    const T grid = source == Source::kGrid ? (t + T(0.5)) / static_cast<T>(out) * 2 - 1
                                           : (t + T(0.5)) * (1 / static_cast<T>(out)) * 2 - 1;
    position = std::min(((grid + 1) * static_cast<T>(in) - 1) / 2, static_cast<T>(in - 1));
  }
  position = std::max<T>(position, 0);
  const std::int64_t first = std::min(static_cast<std::int64_t>(position), in - 1);
  return {first, std::min(first + 1, in - 1), std::min<T>(position - static_cast<T>(first), 1)};
}

template <typename T>
T blend(T a, T b, T c, T d, T x, T y, Blend how) {
  const auto lerp = [how](T from, T to, T f) {
    return how == Blend::kLerp || f == 0 ? from + f * (to - from) : to + (1 - f) * (from - to);
  };
  if (how == Blend::kProducts) return (1 - y) * (1 - x) * a + (1 - y) * x * b + y * (1 - x) * c + y * x * d;
  if (how == Blend::kNested) return (1 - y) * ((1 - x) * a + x * b) + y * ((1 - x) * c + x * d);
  return lerp(lerp(a, b, x), lerp(c, d, x), y);
}

constexpr std::pair<Source, const char*> kSources[] = {
    {Source::kScale, "scale"},
    {Source::kQuotient, "quotient"},
    {Source::kAffine, "affine"},
    {Source::kGrid, "grid_sample"},
    {Source::kGridReciprocal, "grid_sample, by a reciprocal"}};
constexpr std::pair<Blend, const char*> kBlends[] = {{Blend::kProducts, "products"},
                                                     {Blend::kNested, "nested"},
                                                     {Blend::kLerp, "lerp"},
                                                     {Blend::kLerpFromFar, "lerp from the far end"}};

TYPED_TEST(Resizing, EveryFormula) {
  using T = TypeParam;
  Ratios ratios("resize");
  Dice dice(1);
  for (int round = 0; round < 400; ++round) {
    const std::int64_t most = round % 20 == 0 ? 200 : 9;
    const std::int64_t height = dice.between(1, most), width = dice.between(1, 9);
    const std::int64_t high = dice.between(1, most), wide = round % 4 == 0 ? width : dice.between(1, 12);
    auto x = dice.uniforms<T>(2 * height * width, -1, 1);
    if (round % 3 == 0) {
      for (T& t : x) t = 1000 + t;
    }
    const OutputReference reference =
        refer("resize", {{"height", static_cast<double>(high)}, {"width", static_cast<double>(wide)}},
              {named("x", {1, 2, height, width}, x)});
    for (const auto& [source, source_name] : kSources) {
      for (const auto& [how, blend_name] : kBlends) {
        std::vector<T> computed;
        for (std::int64_t i = 0; i < 2 * high * wide; ++i) {
          const auto column = place<T>(i % wide, width, wide, source),
                     row = place<T>(i / wide % high, height, high, source);
          const T* map = x.data() + i / wide / high * height * width;
          computed.push_back(
              blend(map[row.first * width + column.first], map[row.first * width + column.second],
                    map[row.second * width + column.first], map[row.second * width + column.second],
                    column.fraction, row.fraction, how));
        }
        ratios.check(fmt::format("{}, {}", source_name, blend_name), reference, computed);
      }
    }
  }
}

TYPED_TEST(Resizing, TheSameSizeIsTheSameMap) {
  using T = TypeParam;
  Dice dice(2);
  const auto x = dice.uniforms<T>(35, -1, 1);
  Precision fused;
  fused.coordinates = Coordinates::kFused;
  const OutputReference r =
      refer("resize", {{"height", 5}, {"width", 7}}, {named("x", {1, 1, 5, 7}, x)}, fused);
  for (std::size_t i = 0; i < 35; ++i) {
    EXPECT_EQ(r.value[i], x[i]);
    EXPECT_EQ(r.bound[i], 0);
  }
}

/// For grid_sample too, but only where 2 (i + 1/2) / size - 1 does not round.
TYPED_TEST(Resizing, TheSameSizeIsNearlyTheSameMapByGridSample) {
  using T = TypeParam;
  constexpr double kUnit = std::numeric_limits<T>::epsilon() / 2;
  Dice dice(3);
  const auto x = dice.uniforms<T>(35, -1, 1);
  const OutputReference dyadic =
      refer("resize", {{"height", 4}, {"width", 8}}, {named("x", {1, 1, 4, 8}, dice.uniforms<T>(32, -1, 1))});
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(dyadic.bound[i], 0);
  const OutputReference other = refer("resize", {{"height", 5}, {"width", 7}}, {named("x", {1, 1, 5, 7}, x)});
  for (std::size_t i = 0; i < 35; ++i) {
    EXPECT_EQ(other.value[i], x[i]);
    EXPECT_GT(other.bound[i], 0);
    // Shifts of at most 5.5 * 5 and 5.5 * 7 u, slopes of at most 2, and weights.
    EXPECT_LT(other.bound[i], 200 * kUnit);
  }
}

TYPED_TEST(Resizing, RampsStayRampsInside) {
  using T = TypeParam;
  std::vector<T> ramp;
  for (int i = 0; i < 6 * 9; ++i) ramp.push_back(static_cast<T>(3 + 2 * (i % 9) - i / 9));
  const OutputReference r =
      refer("resize", {{"height", 11}, {"width", 14}}, {named("x", {1, 1, 6, 9}, ramp)});
  for (int i = 0; i < 11 * 14; ++i) {
    const double x = std::clamp((i % 14 + 0.5) * 9 / 14 - 0.5, 0.0, 8.0),
                 y = std::clamp((i / 14 + 0.5) * 6 / 11 - 0.5, 0.0, 5.0);
    EXPECT_NEAR(r.value[static_cast<std::size_t>(i)], 3 + 2 * x - y, 1e-13);
  }
}

TYPED_TEST(Resizing, NanStaysWhereItIsSampled) {
  using T = TypeParam;
  std::vector<T> x(16, 1);
  x[0] = std::numeric_limits<T>::quiet_NaN();
  const OutputReference r = refer("resize", {{"height", 8}, {"width", 8}}, {named("x", {1, 1, 4, 4}, x)});
  EXPECT_EQ(admits(r, 9), kAdmitsNan);
  EXPECT_EQ(admits(r, 63), kAdmitsFinite);
  EXPECT_EQ(r.value[63], 1);
}

TYPED_TEST(Resizing, AnInfinityWhereItIsSampledIsNoFiniteNumber) {
  using T = TypeParam;
  std::vector<T> x(16, 1);
  x[5] = std::numeric_limits<T>::infinity();
  const OutputReference r = refer("resize", {{"height", 8}, {"width", 8}}, {named("x", {1, 1, 4, 4}, x)});
  EXPECT_EQ(admits(r, 18), kAdmitsNan | kAdmitsPlusInf | kAdmitsMinusInf);
  EXPECT_EQ(admits(r, 63), kAdmitsFinite);
  // Of weight 0: some formulas multiply it, some do not.
  const OutputReference same = refer("resize", {{"height", 4}, {"width", 4}}, {named("x", {1, 1, 4, 4}, x)});
  EXPECT_EQ(admits(same, 4), kAdmitsAnything);
}

}  // namespace
}  // namespace deformdiff::operation
