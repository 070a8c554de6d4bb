// Sampling locations: where a point falls, relative to the map and to the pixels' centres.
#pragma once

#include "core/random.h"
#include "generators/ms_deform_attn/sketch.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace deformdiff::ms_deform_attn {

/// Kinds of one coordinate. With a map side n, pixel x = loc * n - 1/2 and centres at integers.
enum class Place : std::uint8_t {
  kInside,       ///< loc uniform in [0, 1]
  kAround,       ///< loc uniform in [-0.2, 1.2]
  kCentre,       ///< exactly on a pixel's centre
  kCentreUlp,    ///< 1 to 3 ULPs beside one
  kCentreNear,   ///< a distance beside one that float32 cannot tell (float64), or just can (float32)
  kBorder,       ///< loc of 0, 1, -0.5/n, (n+0.5)/n: the map's edges and the ends of its support
  kBorderUlp,    ///< 1 to 3 ULPs beside one of these
  kBorderNear,   ///< the small distance beside one of these
  kFirstHalf,    ///< x in (-1, 0): the low corner is outside and truncation differs from the floor
  kLastHalf,     ///< x in (n-1, n): the high corner is outside
  kJustOutside,  ///< x in [-3, -1] or [n, n+2]
  kFar,          ///< 2 to 10^4 maps away
  kHuge,         ///< 10^10 to the largest numbers
  kWrap,         ///< 2^8, 2^15, 2^16, 2^31, 2^32 or 2^33 pixels from a pixel inside
  kDyadic,       ///< eighths of a pixel
  kCellEdge,     ///< exactly half-way between two centres
  kMiddle,       ///< 0.5
};

/// An axis of the locations, one index of which is sampled inside while all others are far outside.
struct Isolation {
  std::size_t axis;  ///< 0 batch, 1 query, 2 head, 3 level, 4 point
  std::int64_t index;
};

struct LocationStyle {
  std::array<Place, 64> mix;    ///< each coordinate takes one of these, all equally likely
  bool both_alike = false;      ///< y takes the same entry of the mix as x
  bool near_reference = false;  ///< instead of the mix: reference point + head's direction * (p+1) + noise
  bool queries_are_pixels = false;  ///< with near_reference: query q's reference is pixel q's centre
  std::optional<Isolation> isolation;
};

/// A mix of places in proportion to their shares.
std::array<Place, 64> mix_of(const std::vector<std::pair<Place, int>>& shares);

LocationStyle draw_adversarial_locations(Draw& draw, const Sketch& sketch);
LocationStyle draw_typical_locations(Draw& draw, const Sketch& sketch);

/// One point in 32 inside, the others maps away: little to compute where the points are many.
LocationStyle mostly_outside();

/// [N, Q, M, L, P, 2], contiguous.
Tensor make_locations(const Sketch& sketch, const LocationStyle& style, const CounterRandom& random);

}  // namespace deformdiff::ms_deform_attn
