#include "blocks/noise_line.h"

#include "blocks/ms_deform_attn.h"
#include "core/number.h"
#include "core/random.h"
#include "core/sixteen_bits.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr const char* kLocations = "sampling_loc";

/// How far the line leads: of the largest magnitude in a tensor, and of a pixel.
constexpr double kReach = 0.125;

/// Part `u`, from 0 to 1, of how far an element goes: all of them go half of the way at least, so that what
/// an arithmetic of few bits makes of them changes along the line.
double stride(double u) {
  return kReach * (1 + u) / 2;
}

/// Each answer has these factors once, at most: value, weight, x and y; in the backward the gradient of the
/// output stands for one that was differentiated by.
constexpr int kDegree = 4;

/// Ways of all elements of a tensor to the line's end.
using Ways = std::vector<double>;

/// Random, and inwards from the larger half of the magnitudes, so that none grows. The largest one stays:
/// what takes its scale from that keeps it along the line.
Ways ways_of_numbers(const Tensor& dense, const CounterRandom& random) {
  double largest = 0;
  std::int64_t staying = -1;
  for (std::int64_t i = 0; i < dense.elements(); ++i) {
    const double magnitude = std::fabs(dense.element(i));
    if (!std::isfinite(magnitude) || magnitude <= largest) continue;
    largest = magnitude;
    staying = i;
  }
  Ways ways;
  for (std::int64_t i = 0; i < dense.elements(); ++i) {
    const double number = dense.element(i);
    const auto at = static_cast<std::uint64_t>(i);
    double sign = random.bits(2 * at) % 2 == 0 ? 1 : -1;
    if (std::fabs(number) > largest / 2) sign = number > 0 ? -1 : 1;
    const bool goes = std::isfinite(number) && i != staying;
    ways.push_back(goes ? sign * largest * stride(random.uniform(2 * at + 1)) : 0);
  }
  return ways;
}

/// How far the pixel coordinate is from the cell's lower end.
double in_cell(double location, std::int64_t side) {
  const double coordinate = location * static_cast<double>(side) - 0.5;
  return coordinate - std::floor(coordinate);
}

std::int64_t side_of(const Problem& problem, std::int64_t element) {
  const Level& level =
      problem.levels[static_cast<std::size_t>(element / 2 / problem.dims.P % problem.dims.L)];
  return element % 2 == 0 ? level.width : level.height;
}

/// To the farther end of its cell, in both coordinates.
Ways ways_of_points(const Problem& problem, const Tensor& dense, const CounterRandom& random) {
  Ways ways(static_cast<std::size_t>(dense.elements()), 0);
  if (is_sixteen_bits(dense.dtype())) return ways;
  for (std::int64_t i = 0; i < dense.elements(); ++i) {
    const double location = dense.element(i);
    if (!std::isfinite(location)) continue;
    const std::int64_t side = side_of(problem, i);
    const double sign = in_cell(location, side) < 0.5 ? 1 : -1;
    ways[static_cast<std::size_t>(i)] =
        sign * stride(random.uniform(static_cast<std::uint64_t>(i))) / static_cast<double>(side);
  }
  return ways;
}

Tensor at_part(const Tensor& dense, const Ways& ways, double part) {
  const std::size_t width = size_of(dense.dtype());
  Tensor::Bytes bytes(dense.storage().begin(), dense.storage().end());
  for (std::size_t i = 0; i < ways.size(); ++i) {
    if (ways[i] == 0) continue;
    std::byte* const at = bytes.data() + i * width;
    store_number(static_cast<long double>(load_number(dense.dtype(), at)) + part * ways[i], dense.dtype(),
                 at);
  }
  return Tensor(dense.dtype(), dense.shape(), std::move(bytes));
}

/// float64 may be computed in float32, as on hardware that has no more.
double rounding_of_places(DType dtype) {
  return std::max(float_format(dtype).unit_roundoff, float_format(DType::kFloat32).unit_roundoff);
}

/// Every point in one of the four quadrants around it, a rounding of its coordinates away: that of the number
/// itself, and of one of the size of 1, from which others are made.
Case nudged(const Case& c, std::uint64_t quadrant, const CounterRandom& random) {
  Case other = c;
  for (NamedTensor& input : other.inputs) {
    if (input.name != kLocations) continue;
    const Tensor dense = input.tensor.contiguous();
    const double unit = rounding_of_places(dense.dtype());
    Ways ways;
    for (std::int64_t i = 0; i < dense.elements(); ++i) {
      const std::uint64_t own = random.bits(static_cast<std::uint64_t>(i / 2)) % 4 ^ quadrant;
      const double sign = (own >> (i % 2)) % 2 == 0 ? 1 : -1;
      const double location = dense.element(i);
      ways.push_back(std::isfinite(location) ? sign * kNudge * unit * (1 + std::fabs(location)) : 0);
    }
    input.tensor = at_part(dense, ways, 1);
  }
  return other;
}

double largest_magnitude(const Tensor& tensor) {
  double largest = 0;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const double magnitude = std::fabs(tensor.element(i));
    if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
  }
  return largest;
}

/// Along each of two axes an interpolated number changes by at most twice the largest of a cell for each
/// pixel. An element is the sum of so many products.
void limit_nudges(const Case& c, const Problem& problem, RelatedCases& related) {
  const Dims& d = problem.dims;
  double side = 1;
  for (const Level& level : problem.levels)
    side = std::max({side, static_cast<double>(level.height), static_cast<double>(level.width)});
  constexpr double kFarthest = 2.5;  // a point beyond 3/2 reaches no pixel of any map, wherever it is nudged
  const double pixels = kNudge * rounding_of_places(problem.dtype) * kFarthest * side;
  const double change = 4 * pixels;
  const double value = largest_magnitude(problem.value), weight = largest_magnitude(problem.attn_weight);
  if (c.block != backward_block().name()) {
    related.steepest = {static_cast<double>(d.L * d.P) * weight * value * change};
    return;
  }
  const double gradient = largest_magnitude(parse_backward(c).grad_output);
  const double of_channels = static_cast<double>(d.D) * gradient * value * change;
  related.steepest = {static_cast<double>(d.Q * d.L * d.P) * weight * gradient * change,
                      side * weight * of_channels, of_channels};
}

/// Slopes change where a point crosses from cell to cell: gradients of points nearer to that than the line
/// goes at least are left out.
void leave_out_kinks(const Problem& problem, RelatedCases& related) {
  constexpr std::size_t kLocationGradient = 1;
  const Tensor dense = problem.sampling_loc.contiguous();
  std::vector<bool> is_kink;
  for (std::int64_t i = 0; i < dense.elements(); ++i) {
    const double fraction = in_cell(dense.element(i), side_of(problem, i));
    const bool is_inside = fraction > kReach / 2 && fraction < 1 - kReach / 2;
    is_kink.push_back(std::isfinite(dense.element(i)) && !is_inside);
  }
  related.is_continuous = [is_kink = std::move(is_kink)](std::size_t output, std::int64_t element) {
    const auto first = static_cast<std::size_t>(element / 2 * 2);
    return output != kLocationGradient || !(is_kink[first] || is_kink[first + 1]);
  };
}

}  // namespace

void add_noise_line(const Case& c, RelatedCases& related) {
  const Problem problem = parse(c);
  const CounterRandom random(0x6c696e65);  // any other would do
  struct Going {
    std::size_t input;
    Tensor dense;
    Ways ways;
  };
  std::vector<Going> all;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const auto& [name, tensor] = c.inputs[i];
    if (!is_floating(tensor.dtype())) continue;
    const Tensor dense = tensor.contiguous();
    const CounterRandom own = random.stream(i);
    all.push_back(
        {i, dense, name == kLocations ? ways_of_points(problem, dense, own) : ways_of_numbers(dense, own)});
  }
  related.degree = kDegree;
  const int answers = related.degree + 1 + kSpareAnswers;
  for (int step = 1; step <= answers; ++step) {
    Case& on_line = related.line.emplace_back(c);
    const double part = static_cast<double>(step) / answers;
    for (const Going& going : all) {
      on_line.inputs[going.input].tensor = at_part(going.dense, going.ways, part * part);
    }
  }
  for (const std::uint64_t quadrant : {0, 1, 2, 3}) {
    related.nudged.push_back(nudged(c, quadrant, random.stream(c.inputs.size())));
  }
  limit_nudges(c, problem, related);
  if (c.block == backward_block().name()) leave_out_kinks(problem, related);
}

}  // namespace deformdiff::ms_deform_attn
