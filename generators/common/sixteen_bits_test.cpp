#include "generators/common/sixteen_bits.h"

#include "blocks/ms_deform_attn.h"
#include "core/mixed_types.h"
#include "core/sixteen_bits.h"
#include "generators/ms_deform_attn/ablations.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/shrinks.h"
#include "generators/mutate/mutate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using ms_deform_attn::block;

constexpr std::uint64_t kCases = 250;

const Generator& wide() {
  return ms_deform_attn::generator();
}
const Generator& generator() {
  static const std::unique_ptr<const Generator> made = with_sixteen_bits(wide());
  return *made;
}

const Generator& mixing() {
  static const std::unique_ptr<const Generator> made =
      with_sixteen_bits(wide(), {[](const Case&) {
                                   return std::set<std::string>{"sampling_loc", "attn_weight"};
                                 },
                                 "half value"});
  return *made;
}

DType dtype_of(const Case& c) {
  return c.input("value").dtype();
}

TEST(SixteenBitCases, AShareOfTheStreamIsOfEachType) {
  std::map<DType, int> counts;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const Case c = generator().generate(4, {}, i), other = wide().generate(4, {}, i);
    EXPECT_EQ(c, generator().generate(4, {}, i)) << i;
    ++counts[dtype_of(c)];
    if (!is_sixteen_bits(dtype_of(c))) {
      EXPECT_EQ(c, other) << i;
      continue;
    }
    EXPECT_NO_THROW(block().validate(c)) << i;
    for (std::size_t k = 0; k < c.inputs.size(); ++k) {
      const Tensor &narrow = c.inputs[k].tensor, &was = other.inputs[k].tensor;
      EXPECT_EQ(narrow.dtype(), is_floating(was.dtype()) ? dtype_of(c) : was.dtype());
      EXPECT_EQ(narrow.shape(), was.shape());
      EXPECT_EQ(narrow.strides(), was.strides());
      EXPECT_EQ(narrow.offset(), was.offset());
    }
  }
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    EXPECT_GT(counts[dtype], kCases / 10);
    EXPECT_LT(counts[dtype], kCases / 5);
  }
}

/// The numbers of locations and weights are those of the float32 case.
TEST(SixteenBitCases, AThirdOfThemIsOfMixedTypes) {
  int mixed = 0, sixteen = 0;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const Case c = mixing().generate(4, {}, i);
    if (!is_sixteen_bits(dtype_of(c))) continue;
    ++sixteen;
    const Case uniform = generator().generate(4, {}, i), other = wide().generate(4, {}, i);
    EXPECT_EQ(c.input("value"), uniform.input("value")) << i;
    if (!mixed_dtype(c)) {
      EXPECT_EQ(c, uniform) << i;
      continue;
    }
    ++mixed;
    EXPECT_NO_THROW(block().validate(c)) << i;
    const auto outline = mixing().outline({.seed = 4}, i);
    if (outline) EXPECT_EQ(mixed_dtype(*outline), dtype_of(c)) << i;
    for (const char* name : {"sampling_loc", "attn_weight"}) {
      EXPECT_EQ(c.input(name).dtype(), DType::kFloat32) << i;
      EXPECT_EQ(c.input(name).contiguous(), convert(other.input(name), DType::kFloat32).contiguous()) << i;
      EXPECT_EQ(c.input(name).strides(), other.input(name).strides()) << i;
    }
  }
  EXPECT_GT(mixed, sixteen / 5);
  EXPECT_LT(mixed, sixteen / 2);
}

TEST(SixteenBitCases, CasesMadeForTheirSizeAreAsTheyWere) {
  for (std::uint64_t i = 0; i < 40; ++i) {
    EXPECT_FALSE(is_sixteen_bits(dtype_of(generator().generate(4, {"huge"}, i))));
  }
}

/// Both numbers of the type beside a number that it does not have are drawn, and the number itself where it
/// has it; finite numbers stay finite.
TEST(SixteenBitCases, NumbersRoundUpAndDown) {
  int up = 0, down = 0;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const Case c = generator().generate(4, {"adversarial"}, i);
    if (!is_sixteen_bits(dtype_of(c))) continue;
    const Case from = wide().generate(4, {"adversarial"}, i);
    const SixteenBitFormat& format = sixteen_bit_format(dtype_of(c));
    const Tensor &locations = c.input("sampling_loc"), &were = from.input("sampling_loc");
    for (std::int64_t k = 0; k < locations.elements(); ++k) {
      const double now = locations.element(k), was = were.element(k), nearest = round_to(format, was);
      EXPECT_EQ(std::isfinite(now), std::isfinite(was));
      if (std::abs(was) > 4 || std::abs(was) < 0x1p-10) continue;
      const double unit = std::ldexp(1.0, std::ilogb(was) - format.precision + 1);
      EXPECT_LT(std::abs(now - was), unit) << was;
      if (nearest == was) {
        EXPECT_EQ(now, was);
      }
      up += now > was ? 1 : 0;
      down += now < was ? 1 : 0;
    }
  }
  EXPECT_GT(up, 300);
  EXPECT_GT(down, 300);
}

TEST(SixteenBitCases, WhatIsBeyondTheRangeIsScaledIntoIt) {
  for (const float size : {1e30F, 1e-30F}) {
    Case c = wide().generate(4, {"typical"}, 0);
    const Shape shape = c.input("value").shape();
    std::vector<float> numbers(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t k = 0; k < numbers.size(); ++k) numbers[k] = size * (1 + static_cast<float>(k % 7));
    c.inputs[0].tensor = Tensor::of<float>(DType::kFloat32, shape, numbers);
    struct One : Generator {
      explicit One(Case of) : c(std::move(of)) {}
      std::vector<Tier> tiers() const override { return {}; }
      std::vector<TriggerClass> triggers() const override { return {}; }
      Case generate(const StreamChoice&, std::uint64_t) const override { return c; }
      std::vector<std::string> triggers_hit(const Case&) const override { return {}; }
      Case c;
    };
    const One one(c);
    const auto scaled = with_sixteen_bits(one);
    int seen = 0;
    for (std::uint64_t i = 0; i < 40; ++i) {
      const Case narrow = static_cast<const Generator&>(*scaled).generate(StreamChoice{}, i);
      if (dtype_of(narrow) != DType::kFloat16) continue;
      ++seen;
      const Tensor& value = narrow.input("value");
      EXPECT_TRUE(std::isfinite(value.element(6)));
      EXPECT_NEAR(value.element(6) / value.element(0), 7, 0.1);
    }
    EXPECT_GT(seen, 0);
  }
}

/// A case of that type in the stream.
Case case_in(DType dtype, bool mixed = false) {
  for (std::uint64_t i = 0;; ++i) {
    Case c = mixing().generate(4, {"typical"}, i);
    if (dtype_of(c) == dtype && mixed_dtype(c).has_value() == mixed && element_count(c) < 20000) return c;
  }
}

TEST(SixteenBitCases, ShrinkAndChangeAndStayOfTheirTypes) {
  for (const auto& [dtype, mixed] :
       {std::pair{DType::kFloat16, false}, {DType::kBFloat16, false}, {DType::kBFloat16, true}}) {
    const Case c = case_in(dtype, mixed);
    const auto expect_valid = [&](const Case& other) {
      for (const char* name : {"value", "sampling_loc", "attn_weight"})
        EXPECT_EQ(other.input(name).dtype(), c.input(name).dtype());
      EXPECT_NO_THROW(block().validate(other));
    };
    const Shrinks shrinks = with_sixteen_bits(Shrinks(ms_deform_attn::shrink_stream));
    CaseStream smaller = shrinks(c);
    int count = 0;
    for (auto next = smaller(); next && count < 500; next = smaller(), ++count) {
      expect_valid(*next);
      EXPECT_NE(next->inputs, c.inputs);
    }
    EXPECT_GT(count, 100);
    const Mutation mutate = with_sixteen_bits(Mutation(
        [](const Case& from, std::uint64_t key, bool keeps) { return mutated(block(), from, key, keeps); }));
    int changed = 0;
    for (std::uint64_t key = 0; key < 50; ++key) {
      const auto other = mutate(c, key, true);
      if (!other) continue;
      ++changed;
      expect_valid(*other);
      EXPECT_NE(other->inputs, c.inputs);
    }
    EXPECT_GT(changed, 10);
    int taken = 0;
    for (const Ablation& ablation : with_sixteen_bits(ms_deform_attn::ablations(ms_deform_attn::block()))) {
      CaseStream without = ablation.without(c);
      if (const auto other = without()) {
        ++taken;
        expect_valid(*other);
      }
    }
    EXPECT_GT(taken, 5);
  }
}

TEST(SixteenBitCases, TriggersAreThoseOfTheSameNumbersButTheType) {
  const auto known = generator().triggers();
  EXPECT_EQ(known.size(), wide().triggers().size() + 2);
  EXPECT_EQ(mixing().triggers().size(), known.size() + 1);
  auto of_mixed = mixing().triggers_hit(case_in(DType::kFloat16, true));
  EXPECT_EQ(std::erase(of_mixed, "mixed_types") + std::erase(of_mixed, "float16"), 2U);
  EXPECT_EQ(std::ranges::count(of_mixed, "float32"), 0);
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    Case c = case_in(dtype);
    for (NamedTensor& input : c.inputs) input.tensor = input.tensor.contiguous();
    auto wanted = wide().triggers_hit(block().converted(c, DType::kFloat32));
    EXPECT_EQ(std::erase(wanted, "float32"), 1U);
    wanted.emplace_back(name_of(dtype));
    EXPECT_EQ(generator().triggers_hit(c), wanted);
    EXPECT_NE(std::ranges::find(known, name_of(dtype), &TriggerClass::name), known.end());
  }
}

}  // namespace
}  // namespace deformdiff
