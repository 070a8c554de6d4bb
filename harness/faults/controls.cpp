// Right code that computes in other ways than ours: coordinates, interpolation and sums in the forms that
// kernels of the field take. No verdict may blame one of them.
#include "faults/fault.h"
#include "faults/plain_kernel.h"

#include <array>
#include <cstddef>
#include <vector>

#include <fmt/format.h>

namespace deformdiff::worker {
namespace {

/// Of a pixel coordinate.
enum class Place : std::uint8_t {
  kFused,       ///< loc*W - 1/2
  kFma,         ///< the same in one rounding
  kGrid,        ///< g = 2 loc - 1, ((g + 1) W - 1) / 2
  kGridHalf,    ///< (g + 1) (W/2) - 1/2
  kReciprocal,  ///< loc / (1/W) - 1/2
  kShifted,     ///< (loc - 1/2 / W) W
  kSplit,       ///< the half pixel comes off after the floor
  kWide         ///< in double, the fraction rounded
};
constexpr std::array kPlaces{"fused", "fma", "grid", "grid_half", "reciprocal", "shifted", "split", "wide"};

/// Of the four corners of a cell.
enum class Corners : std::uint8_t {
  kProducts,     ///< a (w v)
  kWeightFirst,  ///< (a w) v
  kNestedX,      ///< a lerp(lerp(..x), lerp(..x), y)
  kNestedY,
  kNestedFma,
  kPolynomial,  ///< v0 + x (v1 - v0) + y (v2 - v0) + x y (v0 - v1 - v2 + v3)
  kExpanded,    ///< weights 1 - x - y + xy, x - xy, y - xy, xy
  kRows         ///< a weighted sum of each row, then of both
};
constexpr std::array kCorners{"products",   "weight_first", "nested_x", "nested_y",
                              "nested_fma", "polynomial",   "expanded", "rows"};

/// Of all terms of an element.
enum class Sum : std::uint8_t { kForward, kBackward, kPairwise, kLevels, kFma, kCompensated, kWide };
constexpr std::array kSums{"forward", "backward", "pairwise", "levels", "fma", "compensated", "wide"};

struct Way {
  Place place;
  Corners corners;
  Sum sum;
};

/// One factor, which an FMA takes with what it is multiplied by, and the other.
template <typename T>
struct Term {
  T factor, value;
  std::int64_t level;
  T product() const { return factor * value; }
};

template <typename T>
struct Cell {
  bool reached = false;
  std::int64_t pixel = 0;
  T fraction = 0;
};

template <typename T>
class ControlKernel {
 public:
  ControlKernel(const ms_deform_attn::ForwardArguments<T>& arguments, Way way) : a_(arguments), way_(way) {}

  void run() {
    for (std::int64_t row = 0; row < a_.N * a_.Q; ++row) {
      for (std::int64_t m = 0; m < a_.M; ++m) {
        for (std::int64_t c = 0; c < a_.D; ++c) {
          collect(row, m, c);
          a_.output[(row * a_.M + m) * a_.D + c] = sum();
        }
      }
    }
  }

 private:
  void collect(std::int64_t row, std::int64_t m, std::int64_t c) {
    terms_.clear();
    for (std::int64_t l = 0; l < a_.L; ++l) {
      const std::int64_t height = a_.spatial_shapes[2 * l], width = a_.spatial_shapes[2 * l + 1];
      for (std::int64_t p = 0; p < a_.P; ++p) {
        const std::int64_t sample = ((row * a_.M + m) * a_.L + l) * a_.P + p;
        const Cell<T> x = cell(a_.sampling_loc[2 * sample], width);
        const Cell<T> y = cell(a_.sampling_loc[2 * sample + 1], height);
        if (!x.reached || !y.reached) continue;
        const auto pixel = [&](std::int64_t dy, std::int64_t dx) {
          const std::int64_t v = y.pixel + dy, u = x.pixel + dx;
          if (v < 0 || u < 0 || v >= height || u >= width) return T(0);
          const std::int64_t at = row / a_.Q * a_.S + a_.level_start_index[l] + v * width + u;
          return a_.value[(at * a_.M + m) * a_.D + c];
        };
        add_corners(l, a_.attn_weight[sample], x.fraction, y.fraction,
                    {pixel(0, 0), pixel(0, 1), pixel(1, 0), pixel(1, 1)});
      }
    }
  }

  static Cell<T> from_position(T position, T low, T high, std::int64_t shift) {
    if (!(position > low && position < high)) return {};
    const T floor = std::floor(position);
    return {true, static_cast<std::int64_t>(floor) - shift, position - floor};
  }

  Cell<T> cell(T loc, std::int64_t side) const {
    const T width = static_cast<T>(side), half = T(0.5), grid = 2 * loc - 1;
    const auto placed = [&](T position) { return from_position(position, T(-1), width, 0); };
    switch (way_.place) {
      case Place::kFused:
        return placed(loc * width - half);
      case Place::kFma:
        return placed(std::fma(loc, width, -half));
      case Place::kGrid:
        return placed(((grid + 1) * width - 1) / 2);
      case Place::kGridHalf:
        return placed((grid + 1) * (width / 2) - half);
      case Place::kReciprocal:
        return placed(loc / (1 / width) - half);
      case Place::kShifted:
        return placed((loc - half / width) * width);
      case Place::kSplit: {
        Cell<T> of = from_position(loc * width, -half, width + half, 0);
        const bool upper = of.fraction >= half;
        of.pixel -= upper ? 0 : 1;
        of.fraction += upper ? -half : half;
        return of;
      }
      case Place::kWide: {
        const double position = static_cast<double>(loc) * static_cast<double>(side) - 0.5;
        if (!(position > -1 && position < static_cast<double>(side))) return {};
        const double floor = std::floor(position);
        return {true, static_cast<std::int64_t>(floor), static_cast<T>(position - floor)};
      }
    }
    return {};
  }

  void add_corners(std::int64_t level, T a, T x, T y, const std::array<T, 4>& v) {
    const T left = 1 - x, upper = 1 - y, both = x * y;
    const auto add = [&](T factor, T value) { terms_.push_back({factor, value, level}); };
    const auto flat = [&](const std::array<T, 4>& weights) {
      for (std::size_t i = 0; i < 4; ++i) {
        way_.corners == Corners::kWeightFirst ? add(a * weights[i], v[i]) : add(a, weights[i] * v[i]);
      }
    };
    const auto lerp = [](T from, T to, T f) { return from + f * (to - from); };
    const auto lerp_fma = [](T from, T to, T f) { return std::fma(f, to, std::fma(-f, from, from)); };
    switch (way_.corners) {
      case Corners::kProducts:
      case Corners::kWeightFirst:
        return flat({upper * left, upper * x, y * left, both});
      case Corners::kNestedX:
        return add(a, lerp(lerp(v[0], v[1], x), lerp(v[2], v[3], x), y));
      case Corners::kNestedY:
        return add(a, lerp(lerp(v[0], v[2], y), lerp(v[1], v[3], y), x));
      case Corners::kNestedFma:
        return add(a, lerp_fma(lerp_fma(v[0], v[1], x), lerp_fma(v[2], v[3], x), y));
      case Corners::kPolynomial:
        return add(a, v[0] + x * (v[1] - v[0]) + y * (v[2] - v[0]) + both * (v[0] - v[1] - v[2] + v[3]));
      case Corners::kExpanded:
        return flat({1 - x - y + both, x - both, y - both, both});
      case Corners::kRows:
        add(a * upper, left * v[0] + x * v[1]);
        return add(a * y, left * v[2] + x * v[3]);
    }
  }

  T sum() const {
    T total = 0, lost = 0;
    double wide = 0;
    const std::size_t n = terms_.size();
    switch (way_.sum) {
      case Sum::kForward:
        for (const Term<T>& term : terms_) total += term.product();
        return total;
      case Sum::kBackward:
        for (std::size_t i = n; i-- > 0;) total += terms_[i].product();
        return total;
      case Sum::kPairwise:
        return pairwise(0, n);
      case Sum::kLevels:
        for (std::size_t i = 0; i < n;) {
          T of_level = 0;
          const std::int64_t level = terms_[i].level;
          for (; i < n && terms_[i].level == level; ++i) of_level += terms_[i].product();
          total += of_level;
        }
        return total;
      case Sum::kFma:
        for (const Term<T>& term : terms_) total = std::fma(term.factor, term.value, total);
        return total;
      case Sum::kCompensated:  // Kahan's
        for (const Term<T>& term : terms_) {
          const T next = term.product() - lost, sum = total + next;
          lost = (sum - total) - next;
          total = sum;
        }
        return total;
      case Sum::kWide:
        for (const Term<T>& term : terms_) {
          wide += static_cast<double>(term.factor) * static_cast<double>(term.value);
        }
        return static_cast<T>(wide);
    }
    return total;
  }

  T pairwise(std::size_t first, std::size_t last) const {
    if (last - first == 0) return 0;
    if (last - first == 1) return terms_[first].product();
    const std::size_t middle = first + (last - first) / 2;
    return pairwise(first, middle) + pairwise(middle, last);
  }

  ms_deform_attn::ForwardArguments<T> a_;
  Way way_;
  std::vector<Term<T>> terms_;
};

at::Tensor run_control(const ms_deform_attn::Inputs& inputs, Way way) {
  check_structure(inputs);
  ms_deform_attn::check_levels(inputs.spatial_shapes, inputs.level_start_index, inputs.value.size(1));
  const ms_deform_attn::Inputs dense = contiguous(inputs);
  const at::Tensor output = at::empty(output_shape(inputs), inputs.value.options());
  ms_deform_attn::with_element_type(output.scalar_type(), [&]<typename T>(T) {
    ControlKernel<T>(ms_deform_attn::arguments_of<T>(dense, output), way).run();
  });
  return output;
}

/// Each way of each step beside the usual ones, then mixtures in which each meets several others.
std::vector<Way> ways() {
  std::vector<Way> all;
  for (std::size_t i = 0; i < kPlaces.size(); ++i)
    all.push_back({static_cast<Place>(i), Corners::kProducts, Sum::kForward});
  for (std::size_t i = 1; i < kCorners.size(); ++i)
    all.push_back({Place::kFused, static_cast<Corners>(i), Sum::kForward});
  for (std::size_t i = 1; i < kSums.size(); ++i)
    all.push_back({Place::kFused, Corners::kProducts, static_cast<Sum>(i)});
  constexpr std::size_t kMixed = 19;
  for (std::size_t i = 1; i <= kMixed; ++i) {
    all.push_back({static_cast<Place>(i % kPlaces.size()),
                   static_cast<Corners>((1 + 3 * i) % kCorners.size()),
                   static_cast<Sum>((3 + i) % kSums.size())});
  }
  return all;
}

}  // namespace

SubjectList control_kernels() {
  SubjectList list;
  for (const Way& way : ways()) {
    SubjectInfo info;
    info.name = fmt::format("control/{}_{}_{}", kPlaces[static_cast<std::size_t>(way.place)],
                            kCorners[static_cast<std::size_t>(way.corners)],
                            kSums[static_cast<std::size_t>(way.sum)]);
    info.device = "cpu";
    info.blocks = {"ms_deform_attn"};
    info.dtypes = {DType::kFloat32, DType::kFloat64};
    info.contract.deterministic = Deterministic::kYes;
    info.fault_class = "control";
    info.expected = "agree";
    list.push_back(make_ms_deform_attn_subject(
        std::move(info), [way](const ms_deform_attn::Inputs& inputs) { return run_control(inputs, way); }));
  }
  return list;
}

}  // namespace deformdiff::worker
