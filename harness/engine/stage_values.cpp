#include "engine/stage_values.h"

#include "core/random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

template <typename T>
void rearrange(const View& view, const Shape& shape, DType dtype, std::vector<T>& values) {
  if (values.empty()) return;
  const Tensor viewed = rearranged(Tensor::of<T>(dtype, shape, std::span<const T>(values)), view);
  const auto moved = viewed.values<T>();
  values.assign(moved.begin(), moved.end());
}

bool only_reshapes(const View& view) {
  return std::ranges::all_of(view,
                             [](const ViewStep& step) { return step.kind == ViewStep::Kind::kReshape; });
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

/// What a double becomes in memory of `dtype`.
void store(double value, DType dtype, std::byte* at) {
  const auto put = [at](auto typed) { std::memcpy(at, &typed, sizeof typed); };
  switch (dtype) {
    case DType::kFloat32:
      return put(static_cast<float>(value));
    case DType::kFloat64:
      return put(value);
    case DType::kInt64:
      return put(static_cast<std::int64_t>(value));
    default:
      return put(static_cast<std::uint8_t>(value != 0));
  }
}

template <typename Value>
Tensor made(const OutputReference& output, const Value& value) {
  const std::size_t size = size_of(output.dtype), count = output.value.size();
  Tensor::Bytes bytes(count * size);
  for (std::size_t i = 0; i < count; ++i) store(value(i), output.dtype, bytes.data() + i * size);
  return Tensor(output.dtype, output.shape, std::move(bytes));
}

/// The number that stands for an element whose set has no finite ones.
double special_value(std::uint8_t admits) {
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
    return is_finite_at(output, i) ? output.value[i] : special_value(output.admits[i]);
  });
}

/// One value at random from the set: uniform in the interval. Of a free bit, either.
Tensor draw_from(const OutputReference& output, const CounterRandom& random) {
  const bool bits = output.dtype == DType::kBool;
  return made(output, [&](std::size_t i) {
    if (!is_finite_at(output, i)) return special_value(output.admits[i]);
    const double bound = output.bound[i];
    if (bound == 0 || !std::isfinite(bound)) return output.value[i];
    if (bits) return random.bits(i) % 2 == 0 ? 0.0 : 1.0;
    return output.value[i] + bound * (2 * random.uniform(i) - 1);
  });
}

std::uint64_t label_of(std::string_view text) {
  std::uint64_t hash = 0;
  for (const char each : text) hash = mix_bits(hash + static_cast<unsigned char>(each));
  return hash;
}

/// Widens the middle's set by how far the draws' values lie from it.
void widen(OutputReference& middle, const std::vector<OutputReference>& draws) {
  const std::size_t count = middle.value.size();
  const double factor = estimate_factor(static_cast<std::int64_t>(count));
  std::vector<std::uint8_t> admits(count, kAdmitsFinite);
  if (!middle.admits.empty()) admits = middle.admits;
  bool special = !middle.admits.empty();
  for (std::size_t i = 0; i < count; ++i) {
    double squares = 0, bound = middle.bound[i];
    for (const OutputReference& draw : draws) {
      const double away = draw.value[i] - middle.value[i];
      if (is_finite_at(draw, i) && is_finite_at(middle, i)) squares += away * away;
      bound = std::max(bound, draw.bound[i]);
      if (!draw.admits.empty()) {
        admits[i] |= draw.admits[i];
        special = true;
      }
    }
    if (middle.dtype == DType::kBool) {
      // A bit that differs between draws may be either.
      if (squares > 0 || bound > 0) middle.value[i] = middle.bound[i] = 0.5;
      continue;
    }
    middle.bound[i] = bound + factor * std::sqrt(squares / static_cast<double>(draws.size()));
    if (std::isnan(middle.bound[i])) admits[i] |= kAdmitsAnything, special = true;
  }
  middle.value_low.clear();
  if (special) middle.admits = std::move(admits);
}

/// Elements whose estimated set is narrow beside the output's typical size.
void count_telling(Reference& reference) {
  constexpr double kTellingRatio = 1e-2;
  const OutputReference& output = reference.outputs.front();
  double squares = 0;
  std::int64_t nonzero = 0;
  for (const double value : output.value) {
    squares += value * value;
    nonzero += value != 0 ? 1 : 0;
  }
  const double typical = std::sqrt(squares / std::max<double>(1, static_cast<double>(output.value.size())));
  reference.total_elements = static_cast<std::int64_t>(output.value.size());
  reference.telling_elements = 0;
  for (std::size_t i = 0; i < output.value.size(); ++i) {
    const bool narrow =
        output.dtype == DType::kBool ? output.bound[i] == 0 : output.bound[i] <= kTellingRatio * typical;
    reference.telling_elements += is_finite_at(output, i) && narrow ? 1 : 0;
  }
  reference.vacuous.clear();
  if (reference.total_elements == 0) {
    reference.vacuous = "the output is empty";
  } else if (nonzero == 0) {
    reference.vacuous = "every expected output is zero";
  } else if (2 * reference.telling_elements < reference.total_elements) {
    reference.vacuous =
        fmt::format("only {} of {} elements have an estimated set narrow enough to show a fault",
                    reference.telling_elements, reference.total_elements);
  }
}

}  // namespace

StageValues::StageValues(const BlockEntry& entry, const Case& c, const Precision& precision,
                         const Contract& contract, int threads)
    : entry_(entry), case_(c), precision_(precision), contract_(contract), threads_(threads) {
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
      entry_.operations(stage.operation).evaluate(stage_case, precision_, contract_, threads_);
  DEFORMDIFF_CHECK(reference.outputs.size() == 1);
  reference.outputs.front().name = stage.name;
  rearrange(stage.view, reference.outputs.front());
  return reference;
}

StageReference StageValues::refer(const Stage& stage) const {
  StageReference result;
  result.reference = evaluate(stage, stage_case(stage));
  result.estimated = std::ranges::any_of(
      stage.inputs, [&](const StageInput& input) { return !value(input.value).draws.empty(); });
  if (!result.estimated) return result;
  std::vector<OutputReference> draws;
  const CounterRandom random(label_of(stage.name));
  for (std::size_t draw = 0; draw < kDraws; ++draw) {
    draws.push_back(std::move(evaluate(stage, case_of_draw(stage, draw)).outputs.front()));
    result.value_draws.push_back(draw_from(draws.back(), random.stream(draw)));
  }
  widen(result.reference.outputs.front(), draws);
  count_telling(result.reference);
  return result;
}

void StageValues::set_seen(const Stage& stage, Tensor value) {
  values_[stage.name] = {std::move(value), {}};
}

void StageValues::set_middle(const Stage& stage, const StageReference& reference) {
  set_seen(stage, middle_of(reference.reference.outputs.front()));
}

void StageValues::set_drawn(const Stage& stage, const StageReference& reference) {
  const OutputReference& output = reference.reference.outputs.front();
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
