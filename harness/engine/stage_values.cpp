#include "engine/stage_values.h"

#include "core/number.h"
#include "core/random.h"
#include "core/telling.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace deformdiff {
namespace {

template <typename T>
void rearrange(const View& view, const Shape& shape, DType dtype, std::vector<T>& values) {
  if (values.empty()) return;
  const Tensor viewed = rearranged(Tensor::of<T>(dtype, shape, std::span<const T>(values)), view);
  const auto moved = viewed.values<T>();
  values.assign(moved.begin(), moved.end());
}

/// Moves the elements of an output as the stage's view does.
void rearrange(const View& view, OutputReference& output) {
  if (view.empty()) return;
  if (only_reshapes(view)) {
    output.shape = view.back().arguments;
    return;
  }
  const Shape before = output.shape;
  const auto count = static_cast<std::size_t>(element_count(before));
  output.shape = rearranged(Tensor(DType::kUInt8, before, Tensor::Bytes(count)), view).shape();
  rearrange(view, before, DType::kFloat64, output.value);
  rearrange(view, before, DType::kFloat64, output.value_low);
  rearrange(view, before, DType::kFloat64, output.bound);
  rearrange(view, before, DType::kUInt8, output.admits);
}

template <typename Value>
Tensor made(const OutputReference& output, const Value& value) {
  const std::size_t size = size_of(output.dtype), count = output.value.size();
  Tensor::Bytes bytes(count * size);
  for (std::size_t i = 0; i < count; ++i) store_number(value(i), output.dtype, bytes.data() + i * size);
  return Tensor(output.dtype, output.shape, std::move(bytes));
}

/// The middle of an element's interval, which for float64 is not a double.
long double middle_at(const OutputReference& output, std::size_t i) {
  const long double low = output.value_low.empty() ? 0 : output.value_low[i];
  return output.value[i] + low;
}

/// The number that stands for an element whose set has no finite ones.
long double special_value(std::uint8_t admits) {
  if ((admits & kAdmitsNan) != 0) return std::nan("");
  if ((admits & kAdmitsPlusInf) != 0) return HUGE_VAL;
  return -HUGE_VAL;
}

bool is_finite_at(const OutputReference& output, std::size_t i) {
  return output.admits.empty() || (output.admits[i] & (kAdmitsFinite | kAdmitsAnything)) != 0;
}

/// The middle of the set.
Tensor middle_of(const OutputReference& output) {
  return made(output, [&](std::size_t i) {
    return is_finite_at(output, i) ? middle_at(output, i) : special_value(output.admits[i]);
  });
}

bool admits_anything(const OutputReference& output, std::size_t i) {
  return !output.admits.empty() && (output.admits[i] & kAdmitsAnything) != 0;
}

/// One of the kinds of number that an element may be, at random.
std::uint8_t draw_kind(std::uint8_t admits, std::uint64_t bits) {
  std::vector<std::uint8_t> kinds;
  for (const std::uint8_t kind : {kAdmitsFinite, kAdmitsNan, kAdmitsPlusInf, kAdmitsMinusInf}) {
    if ((admits & kind) != 0) kinds.push_back(kind);
  }
  return kinds.empty() ? std::uint8_t{kAdmitsNan} : kinds[bits % kinds.size()];
}

/// One value at random from the set: uniform in the interval. Of a free bit, either. Where anything may be, a
/// NaN, which shows wherever it gets to.
Tensor draw_from(const OutputReference& output, const CounterRandom& random) {
  const bool bits = output.dtype == DType::kBool;
  return made(output, [&](std::size_t i) -> long double {
    if (admits_anything(output, i)) return std::nan("");
    if (!output.admits.empty()) {
      const std::uint8_t kind = draw_kind(output.admits[i], random.stream(1).bits(i));
      if (kind != kAdmitsFinite) return special_value(kind);
    }
    const double bound = output.bound[i];
    if (bound == 0 || !std::isfinite(bound)) return middle_at(output, i);
    if (bits) return random.bits(i) % 2 == 0 ? 0 : 1;
    return middle_at(output, i) + bound * (2 * random.uniform(i) - 1);
  });
}

/// The least or the largest value of the set of each element: `side` is -1 or 1.
Tensor end_of(const OutputReference& output, double side) {
  return made(output, [&](std::size_t i) -> long double {
    if (admits_anything(output, i)) return side * HUGE_VAL;
    if (!is_finite_at(output, i)) return special_value(output.admits[i]);
    return middle_at(output, i) + side * output.bound[i];
  });
}

/// Appends the ends of the set to its draws.
void add_ends(const OutputReference& output, std::vector<Tensor>& draws) {
  for (const double side : {-1.0, 1.0}) draws.push_back(end_of(output, side));
}

std::uint64_t label_of(std::string_view text) {
  std::uint64_t hash = 0;
  for (const char each : text) hash = mix_bits(hash + static_cast<unsigned char>(each));
  return hash;
}

/// Widens the middle's set by how far the draws' values lie from it.
class Widening {
 public:
  explicit Widening(OutputReference& middle)
      : middle_(middle),
        squares_(middle.value.size(), 0),
        bounds_(middle.bound),
        admits_(middle.admits.empty() ? std::vector<std::uint8_t>(middle.value.size(), kAdmitsFinite)
                                      : middle.admits) {}

  void add(const OutputReference& draw) {
    ++draws_;
    for (std::size_t i = 0; i < squares_.size(); ++i) {
      // What some draws make infinite or a NaN is not estimated from the others.
      if (admits_anything(draw, i) || is_finite_at(draw, i) != is_finite_at(middle_, i)) {
        admits_[i] |= kAdmitsAnything;
        continue;
      }
      if (!draw.admits.empty()) admits_[i] |= draw.admits[i];
      // Squares of numbers near 1e-200 are no doubles.
      const long double away = draw.value[i] - middle_.value[i];
      squares_[i] += away * away;
      bounds_[i] = std::max(bounds_[i], draw.bound[i]);
    }
  }

  void apply() {
    const double factor = estimate_factor(static_cast<std::int64_t>(squares_.size()));
    for (std::size_t i = 0; i < squares_.size(); ++i) {
      if (middle_.dtype == DType::kBool) {
        // A bit that differs between draws, or between the ends of what it is made from, may be either.
        if (squares_[i] > 0 || bounds_[i] > 0) middle_.value[i] = middle_.bound[i] = 0.5;
        continue;
      }
      middle_.bound[i] = bounds_[i] + factor * static_cast<double>(
                                                   std::sqrt(squares_[i] / static_cast<long double>(draws_)));
      if (std::isnan(middle_.bound[i])) admits_[i] |= kAdmitsAnything;
    }
    const bool special =
        std::ranges::any_of(admits_, [](std::uint8_t each) { return each != kAdmitsFinite; });
    if (special) middle_.admits = std::move(admits_);
  }

 private:
  OutputReference& middle_;
  std::vector<long double> squares_;
  std::vector<double> bounds_;
  std::vector<std::uint8_t> admits_;
  std::size_t draws_ = 0;
};

}  // namespace

bool depends_on_inputs_alone(const Stage& stage, const Case& c) {
  return std::ranges::all_of(stage.inputs,
                             [&](const StageInput& input) { return c.find_input(input.value) != nullptr; });
}

SharedReferences shared_references(const BlockEntry& entry, const Case& c, const Precision& precision,
                                   const Contract& contract, int threads) {
  SharedReferences shared;
  const StageValues values(entry, c, precision, contract, threads);
  for (const Stage& stage : entry.block->stages(c)) {
    if (depends_on_inputs_alone(stage, c)) shared.emplace(stage.name, values.refer(stage).reference);
  }
  return shared;
}

StageValues::StageValues(const BlockEntry& entry, const Case& c, const Precision& precision,
                         const Contract& contract, int threads, const SharedReferences* shared)
    : entry_(entry), precision_(precision), contract_(contract), threads_(threads), shared_(shared) {
  for (const NamedTensor& input : c.inputs) values_[input.name] = {input.tensor, {}};
}

const StageValue& StageValues::value(const std::string& name) const {
  const auto found = values_.find(name);
  DEFORMDIFF_CHECK(found != values_.end());
  return found->second;
}

Case StageValues::stage_case(const Stage& stage) const {
  Case c;
  c.block = stage.operation;
  c.attributes = stage.attributes;
  for (const StageInput& input : stage.inputs) {
    c.inputs.push_back({input.name, rearranged(value(input.value).seen, input.view)});
  }
  return c;
}

Case StageValues::case_of_draw(const Stage& stage, std::size_t draw) const {
  Case c = stage_case(stage);
  for (std::size_t i = 0; i < stage.inputs.size(); ++i) {
    const StageValue& known = value(stage.inputs[i].value);
    if (!known.draws.empty()) c.inputs[i].tensor = rearranged(known.draws[draw], stage.inputs[i].view);
  }
  return c;
}

Reference StageValues::evaluate(const Stage& stage, const Case& stage_case) const {
  Reference reference =
      entry_.operations(stage.operation, stage.dtype).evaluate(stage_case, precision_, contract_, threads_);
  DEFORMDIFF_CHECK(reference.outputs.size() == 1);
  reference.outputs.front().name = stage.name;
  rearrange(stage.view, reference.outputs.front());
  return reference;
}

StageReference StageValues::refer(const Stage& stage) const {
  if (shared_ != nullptr) {
    const auto shared = shared_->find(stage.name);
    if (shared != shared_->end()) return {shared->second, false, {}};
  }
  StageReference result;
  Reference reference = evaluate(stage, stage_case(stage));
  result.estimated = std::ranges::any_of(
      stage.inputs, [&](const StageInput& input) { return !value(input.value).draws.empty(); });
  if (result.estimated) result.value_draws = estimate(stage, reference);
  result.reference = std::make_shared<const Reference>(std::move(reference));
  return result;
}

std::vector<Tensor> StageValues::estimate(const Stage& stage, Reference& reference) const {
  std::vector<Tensor> value_draws;
  OutputReference& output = reference.outputs.front();
  Widening widening(output);
  // A sharp decision is asked of the ends too: draws would seldom show a number close to its threshold.
  const std::size_t draws = output.dtype == DType::kBool ? kDraws + kEnds : kDraws;
  const CounterRandom random(label_of(stage.name));
  for (std::size_t draw = 0; draw < draws; ++draw) {
    const OutputReference drawn = std::move(evaluate(stage, case_of_draw(stage, draw)).outputs.front());
    widening.add(drawn);
    if (draw < kDraws) value_draws.push_back(draw_from(drawn, random.stream(draw)));
  }
  widening.apply();
  add_ends(output, value_draws);
  count_telling(reference);
  return value_draws;
}

void StageValues::set_seen(const Stage& stage, Tensor value) {
  values_[stage.name] = {std::move(value), {}};
}

void StageValues::set_middle(const Stage& stage, const StageReference& reference) {
  set_seen(stage, middle_of(reference.reference->outputs.front()));
}

void StageValues::set_drawn(const Stage& stage, const StageReference& reference) {
  const OutputReference& output = reference.reference->outputs.front();
  StageValue& drawn = values_[stage.name];
  drawn.seen = middle_of(output);
  drawn.draws = reference.value_draws;
  if (!drawn.draws.empty()) return;
  const bool exact =
      std::ranges::all_of(output.bound, [](double bound) { return bound == 0; }) && output.admits.empty();
  if (exact) return;
  const CounterRandom random(label_of(stage.name));
  for (std::size_t draw = 0; draw < kDraws; ++draw) {
    drawn.draws.push_back(draw_from(output, random.stream(draw)));
  }
  add_ends(output, drawn.draws);
}

void count_telling(Reference& reference) {
  const OutputReference& output = reference.outputs.front();
  const std::size_t elements = output.value.size();
  double squares = 0;
  for (const double value : output.value) squares += value * value;
  const double typical = std::sqrt(squares / std::max<double>(1, static_cast<double>(elements)));
  Tally tally;
  for (std::size_t i = 0; i < elements; ++i) {
    const bool narrow = kEstimatedSets.is_narrow(output.bound[i], typical);
    tally.count(is_finite_at(output, i) && narrow, true, output.value[i] != 0);
  }
  tell(tally, kEstimatedSets, reference);
}

double estimate_factor(std::int64_t elements) {
  // P(|t| > x) for Student's t with an even number n of degrees of freedom, by its finite series (Abramowitz
  // and Stegun, 26.7.4): 1 - sin(a) (1 + 1/2 cos^2 a + 1*3/(2*4) cos^4 a + ...), tan a = x / sqrt(n). For
  // large x the difference cancels; the tail of the series is summed instead.
  constexpr int kFreedom = static_cast<int>(kDraws);
  static_assert(kFreedom % 2 == 0);
  const auto tail = [](double x) {
    const double cosine2 = kFreedom / (kFreedom + x * x);
    // sin(a) times the full series is 1: what the finite one leaves out is the tail.
    double term = 1, sum = 0;
    for (int k = 1; k < kFreedom / 2 + 2000; ++k) {
      term *= cosine2 * (2 * k - 1) / (2 * k);
      if (k >= kFreedom / 2) sum += term;
      if (term < 1e-40 && k > kFreedom / 2) break;
    }
    return std::sqrt(1 - cosine2) * sum;
  };
  const double wanted = kFalseAlarm / static_cast<double>(std::max<std::int64_t>(1, elements));
  double low = 1, high = 1e6;
  for (int i = 0; i < 60; ++i) {
    const double middle = std::sqrt(low * high);
    (tail(middle) > wanted ? low : high) = middle;
  }
  return high;
}

}  // namespace deformdiff
