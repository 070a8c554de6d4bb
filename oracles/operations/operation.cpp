#include "oracles/operations/operation.h"

#include "core/telling.h"
#include "oracles/arithmetic/parallel.h"

#include <fmt/format.h>

namespace deformdiff::operation {
namespace {

/// Elements that one chunk of work takes at least.
constexpr std::int64_t kChunk = 4096;

constexpr std::array<const char*, kTerms> kNames{"accumulation",
                                                 "rounding",
                                                 "operands cut to fewer bits",
                                                 "transcendental functions",
                                                 "coordinate rounding",
                                                 "moments",
                                                 "underflow"};

/// For second-order terms, and for the oracle's own rounding (README, "Operations").
template <typename T>
double margin_of(const Evaluator<T>& evaluator) {
  if (evaluator.exact_in_double()) return 1;
  const double own = 1 + kOwnError<T>;
  return second_order_factor(evaluator.roundings(), evaluator.setting().rounding.unit) * own;
}

template <typename T>
double bound_of(const Element<T>& element, double margin) {
  double sum = 0;
  for (const double term : element.terms) sum += term;
  return sum == 0 ? 0 : sum * margin;  // the margin may be infinite
}

template <typename T>
std::uint8_t admits_of(const Element<T>& element, double bound, const Rounding& rounding) {
  if ((element.admits & kAdmitsFinite) == 0) return element.admits;
  const bool may_overflow = !(element.magnitude + bound <= rounding.largest);
  return may_overflow ? static_cast<std::uint8_t>(kAdmitsAnything) : element.admits;
}

template <typename T>
class Writer {
 public:
  Writer(const Evaluator<T>& evaluator, OutputReference& output)
      : margin_(margin_of(evaluator)),
        rounding_(evaluator.setting().rounding),
        telling_(derived_sets(evaluator.coarsest_unit())),
        output_(output) {}

  void write(const Element<T>& element, std::size_t at, Tally& tally) {
    double bound = bound_of(element, margin_);
    const std::uint8_t admits = admits_of(element, bound, rounding_);
    const bool nonfinite = (admits & (kAdmitsFinite | kAdmitsAnything)) == 0;
    if (admits == kAdmitsAnything) bound = std::numeric_limits<double>::max();
    const auto value = static_cast<double>(element.value);
    output_.value[at] = value;
    output_.bound[at] = bound;
    output_.admits[at] = admits;
    if (!output_.value_low.empty()) output_.value_low[at] = static_cast<double>(element.value - value);
    // A bit that is false tells as much as one that is true.
    const bool bit = output_.dtype == DType::kBool;
    const double scale = bit ? 1 : element.magnitude;
    const bool matters = scale > 0;
    const bool narrow = admits == kAdmitsFinite && matters && telling_.is_narrow(bound, scale);
    tally.count(narrow || nonfinite, matters || nonfinite, value != 0 || admits != kAdmitsFinite || bit);
  }

 private:
  double margin_;
  Rounding rounding_;
  TellingRule telling_;
  OutputReference& output_;
};

template <typename T>
OutputReference room_for(const Evaluator<T>& evaluator) {
  OutputReference output;
  output.name = "output";
  output.dtype = evaluator.dtype();
  output.shape = evaluator.shape();
  const auto elements = static_cast<std::size_t>(element_count(output.shape));
  output.value.resize(elements);
  output.bound.resize(elements);
  output.admits.resize(elements);
  if (std::is_same_v<T, double> && !evaluator.exact_in_double()) output.value_low.resize(elements);
  return output;
}

/// One element of a prepared evaluator.
template <typename T>
Element<T> single(const Evaluator<T>& evaluator, std::int64_t element) {
  DEFORMDIFF_CHECK(element >= 0 && element < element_count(evaluator.shape()));
  const std::int64_t index = evaluator.tile_of(element);
  const Tile tile = evaluator.tile(index);
  std::vector<Element<T>> elements(static_cast<std::size_t>(tile.elements()));
  evaluator.evaluate(index, elements.data());
  const std::int64_t offset = element - tile.first;
  const std::int64_t row = tile.rows > 1 ? offset / tile.stride : 0;
  return elements[static_cast<std::size_t>(row * tile.columns + (offset - row * tile.stride))];
}

}  // namespace

template <typename T>
Reference refer(Evaluator<T>& evaluator, int threads) {
  evaluator.prepare(threads);
  OutputReference output = room_for(evaluator);
  const std::int64_t tiles = evaluator.tiles();
  const std::int64_t per_chunk =
      tiles == 0
          ? 1
          : std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, evaluator.tile(0).elements()));
  const std::int64_t chunks = (tiles + per_chunk - 1) / per_chunk;
  std::vector<Tally> tallies(static_cast<std::size_t>(chunks));
  for_each_chunk(chunks, threads, [&](std::int64_t chunk) {
    Writer<T> writer(evaluator, output);
    std::vector<Element<T>> elements;
    const std::int64_t last = std::min(tiles, (chunk + 1) * per_chunk);
    for (std::int64_t index = chunk * per_chunk; index < last; ++index) {
      const Tile tile = evaluator.tile(index);
      elements.assign(static_cast<std::size_t>(tile.elements()), {});
      evaluator.evaluate(index, elements.data());
      const Element<T>* next = elements.data();
      for (std::int64_t row = 0; row < tile.rows; ++row) {
        const std::int64_t first = tile.first + row * tile.stride;
        for (std::int64_t i = 0; i < tile.columns; ++i) {
          writer.write(*next++, static_cast<std::size_t>(first + i),
                       tallies[static_cast<std::size_t>(chunk)]);
        }
      }
    }
  });
  Tally sum;
  for (const Tally& tally : tallies) sum += tally;
  const auto is_finite = [](std::uint8_t admits) { return admits == kAdmitsFinite; };
  if (std::ranges::all_of(output.admits, is_finite)) output.admits = {};
  Reference reference;
  tell(sum, derived_sets(evaluator.coarsest_unit()), reference);
  reference.outputs.push_back(std::move(output));
  return reference;
}

template <typename T>
Explanation explain(Evaluator<T>& evaluator, std::int64_t index) {
  evaluator.prepare(1);
  const Element<T> element = single(evaluator, index);
  const double margin = margin_of(evaluator);
  const double bound = bound_of(element, margin);
  Explanation explanation;
  double sum = 0;
  for (std::size_t i = 0; i < kTerms; ++i) {
    sum += element.terms[i];
    if (element.terms[i] != 0) explanation.terms.emplace_back(kNames[i], element.terms[i]);
  }
  explanation.terms.emplace_back("second order and oracle", bound - sum);
  std::stable_sort(explanation.terms.begin(), explanation.terms.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  explanation.lines = evaluator.describe(index);
  explanation.lines.push_back(fmt::format("value {:.17g}, magnitude of what is added {:.9g}",
                                          static_cast<double>(element.value), element.magnitude));
  if (bound == 0) explanation.lines.push_back("exact: every correct result is the same");
  const std::uint8_t set = admits_of(element, bound, evaluator.setting().rounding);
  if (set != kAdmitsFinite) {
    explanation.lines.push_back(
        fmt::format("not only finite numbers are possible; the element may be:{}{}{}{}{}",
                    (set & kAdmitsFinite) != 0 ? " finite" : "", (set & kAdmitsNan) != 0 ? " nan" : "",
                    (set & kAdmitsPlusInf) != 0 ? " +inf" : "", (set & kAdmitsMinusInf) != 0 ? " -inf" : "",
                    (set & kAdmitsAnything) != 0 ? " anything" : ""));
  }
  return explanation;
}

template <typename T>
std::vector<std::string> element_classes(Evaluator<T>& evaluator, std::span<const std::int64_t> elements) {
  evaluator.prepare(1);
  const double margin = margin_of(evaluator);
  std::vector<std::string> classes;
  for (const std::int64_t index : elements) {
    const Element<T> element = single(evaluator, index);
    const std::uint8_t set = admits_of(element, bound_of(element, margin), evaluator.setting().rounding);
    classes.emplace_back(set == kAdmitsFinite ? "interior" : "nonfinite");
  }
  return classes;
}

template Reference refer(Evaluator<float>&, int);
template Reference refer(Evaluator<double>&, int);
template Explanation explain(Evaluator<float>&, std::int64_t);
template Explanation explain(Evaluator<double>&, std::int64_t);
template std::vector<std::string> element_classes(Evaluator<float>&, std::span<const std::int64_t>);
template std::vector<std::string> element_classes(Evaluator<double>&, std::span<const std::int64_t>);

namespace {

/// Cut, not rounded to nearest, to so many bits behind the point; and as the others follow from that.
MatrixHardware matrix_hardware(DType dtype, const Rounding& rounding, const Precision& precision) {
  constexpr double kTf32 = 0x1p-10, kBfloat16 = 0x1p-7, kTwoBfloat16 = 0x1p-14;
  constexpr double kSmallestTf32 = 0x1p-136, kSmallestBfloat16 = 0x1p-133;
  MatrixHardware matrix{
      .sum_unit = rounding.unit, .sum_underflow = rounding.underflow, .largest_sum = rounding.largest};
  if (dtype != DType::kFloat32) return matrix;
  // Both operands, and the product of their errors.
  const auto cut = [&](double each) { return 2 * each + each * each; };
  if (precision.products == Products::kTf32) matrix.operand_error = cut(kTf32);
  if (precision.products == Products::kBfloat16) matrix.operand_error = cut(kBfloat16);
  if (precision.products == Products::kBfloat16x3) {
    matrix.operand_error = cut(kTwoBfloat16) + kBfloat16 * kBfloat16;
    matrix.parts = 3;
  }
  if (precision.products != Products::kFloat32) {
    matrix.operand_underflow = precision.products == Products::kTf32 ? kSmallestTf32 : kSmallestBfloat16;
  }
  // Matrix hardware aligns what it adds and cuts the rest off.
  if (precision.products != Products::kFloat32) matrix.sum_unit = 2 * rounding.unit;
  if (precision.product_sums == ProductSums::kFloat16) {
    const FloatFormat half = float_format(DType::kFloat16);
    matrix.sum_unit = 2 * half.unit_roundoff;
    matrix.sum_underflow = half.smallest_subnormal;
    matrix.largest_sum = half.largest;
  }
  return matrix;
}

}  // namespace

Setting setting_of(DType dtype, const Precision& precision) {
  const Rounding rounding = is_floating(dtype) ? rounding_of(dtype, precision) : Rounding{};
  return {dtype,
          rounding,
          precision.coordinates,
          precision.variance,
          precision.ulps,
          matrix_hardware(dtype, rounding, precision),
          precision.convolutions};
}

std::span<const std::int64_t> integers(const Case& c, const std::string& name) {
  require(c.input(name).dtype() == DType::kInt64, c, "an input of another dtype than int64");
  return c.input(name).values<std::int64_t>();
}

std::span<const std::uint8_t> booleans(const Case& c, const std::string& name) {
  require(c.input(name).dtype() == DType::kBool, c, "an input of another dtype than bool");
  return c.input(name).values<std::uint8_t>();
}

void require(bool condition, const Case& c, const char* what) {
  if (!condition) throw InputError(fmt::format("operation {}: {}", c.block, what));
}

}  // namespace deformdiff::operation
