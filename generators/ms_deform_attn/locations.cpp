#include "generators/ms_deform_attn/locations.h"

#include "core/dtype_dispatch.h"
#include "generators/common/numbers.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

/// Words of one coordinate, used up from the low end.
class Word {
 public:
  explicit Word(std::uint64_t bits) : bits_(bits) {}

  /// Uniform in [0, n) for small n: the bias is n / 2^16.
  std::int64_t below(std::int64_t n) {
    const auto low = static_cast<std::int64_t>(bits_ & 0xffff);
    bits_ = mix_bits(bits_);
    return n <= 0x10000 ? (low * n) >> 16 : static_cast<std::int64_t>(bits_ % static_cast<std::uint64_t>(n));
  }

  double unit() {
    const double u = deformdiff::unit(bits_);
    bits_ = mix_bits(bits_);
    return u;
  }

  double sign() { return below(2) == 0 ? 1.0 : -1.0; }

 private:
  std::uint64_t bits_;
};

double border(Word& word, double n) {
  switch (word.below(4)) {
    case 0:
      return word.below(8) == 0 ? -0.0 : 0.0;
    case 1:
      return 1;
    case 2:
      return -0.5 / n;
    default:
      return (n + 0.5) / n;
  }
}

double centre(Word& word, std::int64_t n) {
  return (static_cast<double>(word.below(n)) + 0.5) / static_cast<double>(n);
}

int few_ulps(Word& word) {
  const auto steps = static_cast<int>(word.below(6));
  return steps < 3 ? steps - 3 : steps - 2;
}

/// A distance in pixels that single precision loses in a double, or the smallest ones that it keeps.
template <typename T>
double small_distance(Word& word) {
  static constexpr std::array<double, 6> kDouble{1e-10, 0x1p-30, 1e-13, 1e-9, 3e-8, 1e-6};
  static constexpr std::array<double, 6> kSingle{1e-6, 1e-5, 1e-4, 1e-3, 0x1p-12, 0x1p-9};
  const auto& distances = sizeof(T) == 8 ? kDouble : kSingle;
  return word.sign() * distances[static_cast<std::size_t>(word.below(6))];
}

double far_away(Word& word) {
  double distance = 2 + 3 * word.unit();
  for (std::int64_t k = word.below(12); k > 0; --k) distance *= 2;
  return word.sign() * distance;
}

template <typename T>
double huge(Word& word) {
  static constexpr std::array<double, 8> kSingle{1e10, 1e10, 1e13, 1e18, 1e30, 1e37, 1e38, 3.4e38};
  static constexpr std::array<double, 8> kDouble{1e10, 1e13, 1e18, 1e30, 1e38, 1e100, 1e300, 1.7e308};
  return word.sign() * (sizeof(T) == 8 ? kDouble : kSingle)[static_cast<std::size_t>(word.below(8))];
}

double wrapping(Word& word, std::int64_t n) {
  static constexpr std::array<double, 8> kModuli{0x1p8,  0x1p15, 0x1p16, 0x1p24,
                                                 0x1p31, 0x1p32, 0x1p32, 0x1p33};
  const double pixel = static_cast<double>(word.below(n)) + 0.5;
  return (word.sign() * kModuli[static_cast<std::size_t>(word.below(8))] + pixel) / static_cast<double>(n);
}

/// One coordinate on a map whose side is n pixels.
template <typename T>
T coordinate(Place place, Word word, std::int64_t n) {
  const auto side = static_cast<double>(n);
  const auto at_pixel = [side](double x) { return static_cast<T>((x + 0.5) / side); };
  switch (place) {
    case Place::kInside:
      return static_cast<T>(word.unit());
    case Place::kAround:
      return static_cast<T>(1.4 * word.unit() - 0.2);
    case Place::kCentre:
      return static_cast<T>(centre(word, n));
    case Place::kCentreUlp:
      return step_ulps(static_cast<T>(centre(word, n)), few_ulps(word));
    case Place::kCentreNear:
      return static_cast<T>(centre(word, n) + small_distance<T>(word) / side);
    case Place::kBorder:
      return static_cast<T>(border(word, side));
    case Place::kBorderUlp:
      return step_ulps(static_cast<T>(border(word, side)), few_ulps(word));
    case Place::kBorderNear:
      return static_cast<T>(border(word, side) + small_distance<T>(word) / side);
    case Place::kFirstHalf:
      return at_pixel(word.unit() - 1);
    case Place::kLastHalf:
      return at_pixel(side - word.unit());
    case Place::kJustOutside:
      return word.below(2) == 0 ? at_pixel(-1 - 2 * word.unit()) : at_pixel(side + 2 * word.unit());
    case Place::kFar:
      return static_cast<T>(far_away(word));
    case Place::kHuge:
      return static_cast<T>(huge<T>(word));
    case Place::kWrap:
      return static_cast<T>(wrapping(word, n));
    case Place::kDyadic:
      return at_pixel(static_cast<double>(word.below(8 * n + 8)) / 8 - 1);
    case Place::kCellEdge:
      return at_pixel(static_cast<double>(word.below(n + 1)) - 0.5);
    case Place::kMiddle:
      return static_cast<T>(0.5);
  }
  return 0;
}

/// Normalised centre of row `row` of value, or of the first level's when the row is in a gap.
std::pair<double, double> pixel_centre(const Sketch& sketch, std::int64_t row) {
  for (const Level& level : sketch.levels) {
    const std::int64_t pixel = row - level.start;
    if (pixel < 0 || pixel >= level.height * level.width) continue;
    return {(static_cast<double>(pixel % level.width) + 0.5) / static_cast<double>(level.width),
            (static_cast<double>(pixel / level.width) + 0.5) / static_cast<double>(level.height)};
  }
  return {0.5, 0.5};
}

/// Deformable DETR's initial offsets: eight directions, one a head, p+1 pixels long.
template <typename T>
void fill_near_reference(const Sketch& s, const LocationStyle& style, const CounterRandom& random, T* out) {
  static constexpr std::array<std::array<int, 2>, 8> kDirections{
      {{1, 0}, {1, 1}, {0, 1}, {-1, 1}, {-1, 0}, {-1, -1}, {0, -1}, {1, -1}}};
  const CounterRandom references = random.stream(1);
  const Dims& d = s.dims;
  std::uint64_t at = 0;
  for (std::int64_t nq = 0; nq < d.N * d.Q; ++nq) {
    const auto key = static_cast<std::uint64_t>(nq);
    std::pair<double, double> reference{references.uniform(2 * key), references.uniform(2 * key + 1)};
    if (style.queries_are_pixels) reference = pixel_centre(s, nq % d.Q);
    for (std::int64_t m = 0; m < d.M; ++m) {
      const auto& direction = kDirections[static_cast<std::size_t>(m % 8)];
      for (const Level& level : s.levels) {
        for (std::int64_t p = 0; p < d.P; ++p) {
          const double length = static_cast<double>(p + 1);
          const double dx = direction[0] * length + 2 * normal(random.bits(at));
          const double dy = direction[1] * length + 2 * normal(random.bits(at + 1));
          out[at++] = static_cast<T>(reference.first + dx / static_cast<double>(level.width));
          out[at++] = static_cast<T>(reference.second + dy / static_cast<double>(level.height));
        }
      }
    }
  }
}

template <typename T>
void fill_mixed(const Sketch& s, const LocationStyle& style, const CounterRandom& random, T* out) {
  const Dims& d = s.dims;
  std::uint64_t at = 0;
  for (std::int64_t nqm = 0; nqm < d.N * d.Q * d.M; ++nqm) {
    for (const Level& level : s.levels) {
      for (std::int64_t p = 0; p < d.P; ++p, at += 2) {
        const std::uint64_t x_bits = random.bits(at);
        const std::uint64_t y_bits = random.bits(at + 1);
        const Place x_place = style.mix[x_bits >> 58];
        const Place y_place = style.mix[(style.both_alike ? x_bits : y_bits) >> 58];
        // The draw for the place is in the upper bits; shifting keeps it apart from the draw within.
        out[at] = coordinate<T>(x_place, Word(x_bits << 6), level.width);
        out[at + 1] = coordinate<T>(y_place, Word(y_bits << 6), level.height);
      }
    }
  }
}

/// Moves every point but those of the isolated index many maps away.
template <typename T>
void isolate(const Sketch& s, const Isolation& isolation, const CounterRandom& random, T* out) {
  const Dims& d = s.dims;
  const std::array<std::int64_t, 5> extents{d.N, d.Q, d.M, d.L, d.P};
  std::int64_t inner = 1;
  for (std::size_t a = isolation.axis + 1; a < extents.size(); ++a) inner *= extents[a];
  const std::int64_t points = d.N * d.Q * d.M * d.L * d.P;
  for (std::int64_t i = 0; i < points; ++i) {
    if (i / inner % extents[isolation.axis] == isolation.index) continue;
    const std::uint64_t bits = random.bits(static_cast<std::uint64_t>(i));
    const auto away =
        static_cast<T>((bits & 1) != 0 ? 3 + (bits >> 60) : -3.0 - static_cast<double>(bits >> 60));
    if ((bits & 6) != 0) out[2 * i] = away;
    if ((bits & 6) != 2) out[2 * i + 1] = away;
  }
}

template <typename T>
Tensor make(const Sketch& s, const LocationStyle& style, const CounterRandom& random) {
  const Dims& d = s.dims;
  const Shape shape{d.N, d.Q, d.M, d.L, d.P, 2};
  Tensor::Bytes bytes(static_cast<std::size_t>(element_count(shape)) * sizeof(T));
  T* const out = reinterpret_cast<T*>(bytes.data());
  if (style.near_reference) {
    fill_near_reference(s, style, random, out);
  } else {
    fill_mixed(s, style, random, out);
  }
  if (style.isolation) isolate(s, *style.isolation, random.stream(2), out);
  return Tensor(s.dtype, shape, std::move(bytes));
}

}  // namespace

std::array<Place, 64> mix_of(const std::vector<std::pair<Place, int>>& shares) {
  int total = 0;
  for (const auto& share : shares) total += share.second;
  std::array<Place, 64> mix{};
  std::size_t entry = 0;
  int passed = 0;
  for (const auto& [place, share] : shares) {
    passed += share;
    while (entry < mix.size() &&
           static_cast<int>(entry + 1) * total <= passed * static_cast<int>(mix.size())) {
      mix[entry++] = place;
    }
  }
  while (entry < mix.size()) mix[entry++] = shares.back().first;
  return mix;
}

LocationStyle draw_adversarial_locations(Draw& draw, const Sketch& sketch) {
  static const std::vector<Place> special{
      Place::kCentre,     Place::kCentreUlp, Place::kCentreNear, Place::kBorder,      Place::kBorderUlp,
      Place::kBorderNear, Place::kFirstHalf, Place::kLastHalf,   Place::kJustOutside, Place::kFar,
      Place::kHuge,       Place::kWrap,      Place::kDyadic,     Place::kCellEdge,    Place::kMiddle};
  const Place common = draw.one_of<Place>({Place::kInside, Place::kInside, Place::kAround});
  LocationStyle style{};
  std::vector<std::pair<Place, int>> shares{{common, draw.one_of<int>({0, 10, 20, 40, 80})}};
  for (std::int64_t k = draw.between(1, 4); k > 0; --k) shares.emplace_back(draw.one_of(special), 10);
  // A point leaves the map when either coordinate does: enough of them must stay for the case to tell.
  const bool mostly_outside = std::ranges::all_of(shares, [](const auto& share) {
    return share.second == 0 || (share.first >= Place::kJustOutside && share.first <= Place::kWrap);
  });
  if (mostly_outside) shares.front().second = 20;
  style.mix = mix_of(shares);
  style.both_alike = draw.chance(30);
  const Dims& d = sketch.dims;
  const std::array<std::int64_t, 5> extents{d.N, d.Q, d.M, d.L, d.P};
  if (draw.chance(15)) {
    const std::size_t axis = draw.share_of({5, 10, 10, 35, 40});
    if (extents[axis] > 0) {
      const std::int64_t last = extents[axis] - 1;
      style.isolation = Isolation{axis, draw.one_of<std::int64_t>({0, last, draw.between(0, last)})};
    }
  }
  return style;
}

LocationStyle draw_typical_locations(Draw& draw, const Sketch& sketch) {
  LocationStyle style{};
  style.mix = mix_of({{draw.chance(70) ? Place::kInside : Place::kAround, 1}});
  style.near_reference = draw.chance(60);
  style.queries_are_pixels = sketch.dims.Q == sketch.dims.S;
  return style;
}

LocationStyle mostly_outside() {
  LocationStyle style{};
  style.mix = mix_of({{Place::kInside, 1}, {Place::kFar, 31}});
  style.both_alike = true;
  return style;
}

Tensor make_locations(const Sketch& sketch, const LocationStyle& style, const CounterRandom& random) {
  return with_floating(sketch.dtype, [&](auto zero) { return make<decltype(zero)>(sketch, style, random); });
}

}  // namespace deformdiff::ms_deform_attn
