#include "engine/compare.h"

#include "engine/compare_elements.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace deformdiff {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <typename T>
constexpr DType kDTypeOf = sizeof(T) == 4 ? DType::kFloat32 : DType::kFloat64;

template <typename T>
Tensor tensor_of(const std::vector<T>& values) {
  return Tensor::of<T>(kDTypeOf<T>, {static_cast<std::int64_t>(values.size())}, values);
}

/// `values` with a bound each; every element tells.
template <typename T>
Reference reference_of(const std::vector<double>& values, const std::vector<double>& bounds) {
  OutputReference output{"output", kDTypeOf<T>, {static_cast<std::int64_t>(values.size())}, values, {},
                         bounds,   {}};
  Reference reference;
  reference.total_elements = reference.telling_elements = static_cast<std::int64_t>(values.size());
  reference.outputs.push_back(std::move(output));
  return reference;
}

template <typename T>
Outcome returned(const std::vector<T>& values) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kReturned;
  outcome.outputs = {{"output", tensor_of<T>(values)}};
  return outcome;
}

/// Four elements, the first `free` of which admit `admits`.
Reference partly_free(std::size_t free, std::uint8_t admits) {
  Reference reference = reference_of<float>({1, 1, 1, 1}, {0, 0, 0, 0});
  std::vector<std::uint8_t>& sets = reference.outputs.front().admits;
  sets.assign(4, kAdmitsFinite);
  std::fill_n(sets.begin(), free, admits);
  return reference;
}

TEST(Compare, AnOutputOfWhichMostMayBeAnythingIsVacuous) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float got : {nan, 7.0F}) {
    const Comparison half =
        compare(returned<float>({got, got, 1, 1}), partly_free(2, kAdmitsAnything), Contract{});
    EXPECT_EQ(half.verdict, Verdict::kAgree) << half.reason;
    EXPECT_EQ(half.unjudged.elements, 2);
    EXPECT_EQ(half.unjudged.nonfinite, std::isnan(got) ? 2 : 0);
    const Comparison most =
        compare(returned<float>({got, got, got, 1}), partly_free(3, kAdmitsAnything), Contract{});
    EXPECT_EQ(most.verdict, Verdict::kVacuous);
    EXPECT_NE(most.reason.find("3 of 4 elements of output"), std::string::npos) << most.reason;
  }
}

TEST(Compare, ANanThatIsDemandedOrFreeByContractIsJudged) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const int admits : {int{kAdmitsNan}, kAdmitsFinite | kAdmitsNan}) {
    const Comparison comparison = compare(returned<float>({nan, nan, nan, 1}),
                                          partly_free(3, static_cast<std::uint8_t>(admits)), Contract{});
    EXPECT_EQ(comparison.verdict, Verdict::kAgree);
    EXPECT_EQ(comparison.unjudged.elements, 0);
  }
}

TEST(Compare, WhatIsFoundElsewhereComesBeforeWhatIsUnjudged) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(compare(returned<float>({nan, nan, nan, 2}), partly_free(3, kAdmitsAnything), Contract{}).verdict,
            Verdict::kOutOfBound);
}

TEST(Compare, OutcomesThatDidNotReturnAreTheVerdict) {
  const Reference reference = reference_of<float>({1}, {0});
  const std::pair<Outcome::Kind, Verdict> pairs[] = {
      {Outcome::Kind::kUnsupported, Verdict::kUnsupported}, {Outcome::Kind::kThrew, Verdict::kThrew},
      {Outcome::Kind::kDeviceError, Verdict::kDeviceError}, {Outcome::Kind::kCrashed, Verdict::kCrashed},
      {Outcome::Kind::kTimedOut, Verdict::kTimedOut},       {Outcome::Kind::kNotRun, Verdict::kNotRun}};
  for (const auto& [kind, verdict] : pairs) {
    Outcome outcome;
    outcome.kind = kind;
    outcome.message = "why";
    const Comparison result = compare(outcome, reference, Contract{});
    EXPECT_EQ(result.verdict, verdict);
    EXPECT_EQ(result.reason, "why");
    EXPECT_EQ(result.element, -1);
  }
}

TEST(Compare, StructureComesBeforeTheElements) {
  const Reference reference = reference_of<float>({1, 2}, {0, 0});
  EXPECT_EQ(compare(returned<float>({1, 2, 3}), reference, {}).verdict, Verdict::kWrongStructure);
  EXPECT_EQ(compare(returned<double>({1, 2}), reference, {}).verdict, Verdict::kWrongStructure);
  Outcome outcome = returned<float>({5, 5});
  outcome.outputs.front().name = "other";
  EXPECT_EQ(compare(outcome, reference, {}).verdict, Verdict::kWrongStructure);
  outcome.outputs.clear();
  const Comparison result = compare(outcome, reference, {});
  EXPECT_EQ(result.verdict, Verdict::kWrongStructure);
  EXPECT_EQ(result.reason, "0 outputs, wanted 1");
  outcome.message = "output is undefined";
  EXPECT_EQ(compare(outcome, reference, {}).reason, "0 outputs, wanted 1: output is undefined");
}

TEST(Compare, MemoryComesBeforeTheElements) {
  const Reference reference = reference_of<float>({1, 2}, {0, 0});
  Outcome outcome = returned<float>({7, 7});
  outcome.unwritten_output = "output";
  outcome.first_unwritten = 1;
  Comparison result = compare(outcome, reference, {});
  EXPECT_EQ(result.verdict, Verdict::kUnwrittenOutput);
  EXPECT_EQ(result.element, 1);
  EXPECT_EQ(result.reason, "output[1] was never written");
  outcome.modified = "value";
  EXPECT_EQ(compare(outcome, reference, {}).verdict, Verdict::kModifiedInput);
  outcome.overran = "output";
  EXPECT_EQ(compare(outcome, reference, {}).verdict, Verdict::kOverranBuffer);
}

TEST(Compare, AnOverrunIsTheSameWhateverTheSizeOfItsBuffer) {
  const Reference reference = reference_of<float>({1}, {0});
  Outcome outcome = returned<float>({1});
  outcome.overran = "after an allocation";
  for (const char* size : {"64 bytes", "128 bytes"}) {
    outcome.message = size;
    const Comparison result = compare(outcome, reference, {});
    EXPECT_EQ(result.output, "after an allocation");
    EXPECT_EQ(result.reason, std::string("wrote outside a buffer: after an allocation; ") + size);
  }
}

TEST(Compare, NamesTheWorstElement) {
  const Reference reference = reference_of<float>({1, 0.5, 3}, {0.1, 3e-8, 0.1});
  const Comparison result = compare(returned<float>({1.3F, 0.51F, 3}), reference, {});
  EXPECT_EQ(result.verdict, Verdict::kOutOfBound);
  EXPECT_EQ(result.element, 1);
  EXPECT_EQ(result.violations, 2);
  EXPECT_EQ(result.violating, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(result.reason,
            "output[1] = 0.51, wanted 0.5 +- 3e-08 (ratio 3.3e+05); 2 of 3 elements are wrong");
}

TEST(Compare, AgreementStillNamesTheWorstElement) {
  const Comparison result =
      compare(returned<double>({1, 2.5, 3}), reference_of<double>({1, 2, 3}, {1, 1, 1}), {});
  EXPECT_EQ(result.verdict, Verdict::kAgree);
  EXPECT_EQ(result.element, 1);
  EXPECT_EQ(result.ratio, 0.5);
}

TEST(Compare, ZeroBoundDemandsTheSameNumberWhateverTheSignOfZero) {
  const Reference reference = reference_of<float>({0, 1}, {0, 0});
  EXPECT_EQ(compare(returned<float>({-0.0F, 1}), reference, {}).verdict, Verdict::kAgree);
  const Comparison result = compare(returned<float>({1e-45F, 1}), reference, {});
  EXPECT_EQ(result.verdict, Verdict::kOutOfBound);
  EXPECT_EQ(result.ratio, kInf);
}

TEST(Compare, SeesDifferencesBelowAnUlpOfTheValue) {
  Reference reference = reference_of<double>({1}, {0x1p-54});
  reference.outputs.front().value_low = {0x1p-54};
  EXPECT_EQ(compare(returned<double>({1}), reference, {}).verdict, Verdict::kAgree);
  reference.outputs.front().value_low = {0x1.8p-54};
  EXPECT_EQ(compare(returned<double>({1}), reference, {}).verdict, Verdict::kOutOfBound);
  reference.outputs.front().bound = {0};
  reference.outputs.front().value_low = {-0x1p-80};
  EXPECT_EQ(compare(returned<double>({1}), reference, {}).verdict, Verdict::kOutOfBound);
}

TEST(Compare, SeesATailFarBelowAnUlpOfTheBound) {
  Reference reference = reference_of<double>({0}, {1});
  reference.outputs.front().value_low = {0x1p-80};
  EXPECT_EQ(compare(returned<double>({1}), reference, {}).verdict, Verdict::kAgree);
  reference.outputs.front().value_low = {-0x1p-80};
  EXPECT_EQ(compare(returned<double>({1}), reference, {}).verdict, Verdict::kOutOfBound);
}

TEST(Compare, OfSeveralIntervalsTheNearestOneDecides) {
  Reference reference = reference_of<float>({1, 2, 3}, {0.25, 0.25, 0.25});
  reference.outputs.front().alternatives = {{0, 5, 0, 0}, {1, -2, 0, 0.5}, {1, 0, 0, 0}};
  for (const float right : {2.0F, -2.5F, 0.0F}) {
    EXPECT_EQ(compare(returned<float>({1, right, 3}), reference, {}).verdict, Verdict::kAgree) << right;
  }
  EXPECT_EQ(compare(returned<float>({1, -2.25F, 3}), reference, {}).ratio, 0.5);
  const Comparison between = compare(returned<float>({1, 1, 3}), reference, {});
  EXPECT_EQ(between.verdict, Verdict::kOutOfBound);
  EXPECT_EQ(between.element, 1);
  EXPECT_EQ(between.ratio, 4);
  EXPECT_EQ(between.reason, "output[1] = 1, wanted 2 +- 0.25 or -2 +- 0.5 or 0 +- 0 (ratio 4)");
  EXPECT_EQ(compare(returned<float>({1, 2, 5}), reference, {}).verdict, Verdict::kOutOfBound)
      << "an element has no other's intervals";
  reference.outputs.front().admits = {kAdmitsNan, kAdmitsFinite, kAdmitsFinite};
  EXPECT_EQ(compare(returned<float>({static_cast<float>(kNan), 5, 3}), reference, {}).verdict,
            Verdict::kOutOfBound)
      << "nor those of one that is no number";
}

TEST(Compare, WrongKindsOfNumberComeBeforeDistances) {
  const Reference reference = reference_of<float>({1, 2}, {0, 0});
  const Comparison result = compare(returned<float>({9, static_cast<float>(kNan)}), reference, {});
  EXPECT_EQ(result.verdict, Verdict::kNonfiniteMismatch);
  EXPECT_EQ(result.element, 1);
  EXPECT_EQ(result.violations, 2);
  EXPECT_EQ(result.reason, "output[1] = nan, wanted 2; 2 of 2 elements are wrong");
}

TEST(Compare, WhereNoNumberIsDueNoneIsWanted) {
  Reference reference = reference_of<float>({1, 2}, {0, 0});
  reference.outputs.front().admits = {kAdmitsFinite, kAdmitsNan | kAdmitsPlusInf};
  const Comparison result = compare(returned<float>({1, 2}), reference, {});
  EXPECT_EQ(result.verdict, Verdict::kNonfiniteMismatch);
  EXPECT_EQ(result.element, 1);
  EXPECT_EQ(result.shape, Shape{2});
  EXPECT_EQ(result.sampled, std::vector<std::int64_t>{1});
  EXPECT_TRUE(std::isnan(result.wanted));
}

TEST(Compare, FindsTheOneFaultAmongManyOutputs) {
  Reference reference = reference_of<float>({1}, {1});
  reference.outputs.push_back(reference.outputs.front());
  reference.outputs.back().name = "second";
  reference.outputs.back().bound = {0.25};
  Outcome outcome = returned<float>({2});  // on the edge of the first bound: ratio exactly 1
  outcome.outputs.push_back({"second", tensor_of<float>({std::nextafter(1.25F, 2.0F)})});
  const Comparison result = compare(outcome, reference, {});
  EXPECT_EQ(result.verdict, Verdict::kOutOfBound);
  EXPECT_EQ(result.output, "second");
}

TEST(Compare, DeterminismOnlyWherePromised) {
  const Reference reference = reference_of<float>({1}, {0});
  Outcome outcome = returned<float>({1});
  outcome.ran_twice = true;
  outcome.repeated_bits = false;
  EXPECT_EQ(compare(outcome, reference, {}).verdict, Verdict::kAgree);
  Contract contract;
  contract.deterministic = Deterministic::kYes;
  EXPECT_EQ(compare(outcome, reference, contract).verdict, Verdict::kNondeterministic);
  outcome.ran_twice = false;
  EXPECT_EQ(compare(outcome, reference, contract).verdict, Verdict::kAgree);
}

TEST(Compare, DeterminismIsJudgedOutputByOutput) {
  Reference reference = reference_of<float>({1}, {0});
  for (const char* name : {"grad_value", "grad_attn_weight"}) {
    reference.outputs.push_back(reference.outputs.front());
    reference.outputs.back().name = name;
  }
  reference.outputs.erase(reference.outputs.begin());
  Outcome outcome = returned<float>({1});
  outcome.outputs = {{"grad_value", tensor_of<float>({1})}, {"grad_attn_weight", tensor_of<float>({1})}};
  outcome.ran_twice = true;
  outcome.repeated_bits = false;
  outcome.other_bits = {"grad_value"};
  Contract contract;
  contract.deterministic = Deterministic::kYes;
  const Comparison broken = compare(outcome, reference, contract);
  EXPECT_EQ(broken.verdict, Verdict::kNondeterministic);
  EXPECT_EQ(broken.output, "grad_value");
  EXPECT_EQ(broken.reason, "a second run on the same inputs gave other bits to grad_value");
  for (const char* typed : {"value", "grad_value"}) {
    contract.deterministic_outputs = {{typed, Deterministic::kNo}};
    outcome.other_bits = {"grad_value"};
    EXPECT_EQ(compare(outcome, reference, contract).verdict, Verdict::kAgree) << typed;
    outcome.other_bits = {"grad_attn_weight"};
    EXPECT_EQ(compare(outcome, reference, contract).verdict, Verdict::kNondeterministic) << typed;
    for (const std::vector<std::string>& unsaid : {std::vector<std::string>{}, {"value"}}) {
      outcome.other_bits = unsaid;  // a worker that does not say, or names no output
      EXPECT_EQ(compare(outcome, reference, contract).verdict, Verdict::kNondeterministic) << typed;
    }
  }
}

TEST(Compare, VacuousOnlyWhereNothingElseIsWrong) {
  Reference reference = reference_of<float>({0}, {0});
  reference.vacuous = "all outputs are zero";
  EXPECT_EQ(compare(returned<float>({0}), reference, {}).verdict, Verdict::kVacuous);
  EXPECT_EQ(compare(returned<float>({1}), reference, {}).verdict, Verdict::kOutOfBound);
}

TEST(Compare, CountsTheRatiosOfFiniteElements) {
  Reference reference = reference_of<float>({1, 2, 3, 4}, {1, 1, 1, 1});
  reference.outputs.front().admits = {kAdmitsFinite, kAdmitsNan, kAdmitsAnything, kAdmitsFinite};
  RatioHistogram ratios;
  const Comparison result =
      compare(returned<float>({1, static_cast<float>(kNan), 70, 4.5F}), reference, {}, &ratios);
  EXPECT_EQ(result.verdict, Verdict::kAgree);
  EXPECT_EQ(ratios.total(), 2);
  EXPECT_EQ(ratios.max(), 0.5);
}

TEST(Compare, TakesDtypesWithoutALoopOfTheirOwn) {
  Reference reference = reference_of<float>({3}, {0});
  reference.outputs.front().dtype = DType::kInt64;
  Outcome outcome = returned<float>({0});
  const std::vector<std::int64_t> three{3};
  outcome.outputs.front().tensor = Tensor::of<std::int64_t>(DType::kInt64, {1}, three);
  EXPECT_EQ(compare(outcome, reference, {}).verdict, Verdict::kAgree);
}

// The exact decision, by the longest format at hand: 113 bits hold any sum of these doubles below.
template <typename T>
bool inside_exactly(T got, double value, double low, double bound) {
  const __float128 error = static_cast<__float128>(got) - value - low;
  return (error < 0 ? -error : error) <= static_cast<__float128>(bound);
}

/// A number with few bits between 2^-10 and 2^10, of either sign.
double number_between(int bits) {
  const auto significand = *rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << bits);
  const auto exponent = *rc::gen::inRange(-10, 11);
  const auto sign = *rc::gen::element(-1.0, 1.0);
  return sign * std::ldexp(static_cast<double>(significand), exponent - bits);
}

template <typename T>
void one_ulp_at_the_edge_decides() {
  const auto count = *rc::gen::inRange<std::size_t>(1, 3000);
  const auto at = *rc::gen::inRange<std::size_t>(0, count);
  const double value = number_between(sizeof(T) == 4 ? 20 : 50);
  // Below half of the value: numbers near the edge then have about the spacing of the value itself.
  const double bound =
      std::ldexp(std::abs(value), *rc::gen::inRange(-40, -1)) * *rc::gen::element(1.0, 0.75, 0.7);
  const double low = *rc::gen::element(0.0, 1.0, -1.0) * std::ldexp(value, -55);
  const double side = *rc::gen::element(-1.0, 1.0);

  // Walk to the last T inside the interval and the first outside it.
  T inside = static_cast<T>(value + side * bound);
  const T away = static_cast<T>(side * kInf);
  const T back = static_cast<T>(value);
  while (!inside_exactly(inside, value, low, bound) && inside != back) inside = std::nextafter(inside, back);
  RC_ASSERT(inside_exactly(inside, value, low, bound));
  while (inside_exactly(std::nextafter(inside, away), value, low, bound))
    inside = std::nextafter(inside, away);

  Reference reference = reference_of<T>(std::vector<double>(count, value), std::vector<double>(count, bound));
  if (low != 0) reference.outputs.front().value_low.assign(count, low);
  if (*rc::gen::arbitrary<bool>()) reference.outputs.front().admits.assign(count, kAdmitsFinite);
  std::vector<T> got(count, inside);
  RC_ASSERT(compare(returned<T>(got), reference, {}).verdict == Verdict::kAgree);
  got[at] = std::nextafter(inside, away);
  const Comparison result = compare(returned<T>(got), reference, {});
  RC_ASSERT(result.verdict == Verdict::kOutOfBound);
  RC_ASSERT(result.element == static_cast<std::int64_t>(at));
  RC_ASSERT(result.violations == 1);
}

RC_GTEST_PROP(CompareProperty, OneUlpAtTheEdgeDecidesFloat32, ()) {
  one_ulp_at_the_edge_decides<float>();
}
RC_GTEST_PROP(CompareProperty, OneUlpAtTheEdgeDecidesFloat64, ()) {
  one_ulp_at_the_edge_decides<double>();
}

RC_GTEST_PROP(CompareProperty, AnyCombinationOfAdmittedKinds, ()) {
  const auto admits = static_cast<std::uint8_t>(*rc::gen::inRange(0, 32));
  const double got = *rc::gen::element(1.0, 1.5, 9.0, kInf, -kInf, kNan);
  Reference reference = reference_of<double>({1, 1}, {0.5, 0.5});
  reference.outputs.front().admits = {kAdmitsFinite, admits};
  Verdict wanted = Verdict::kAgree;
  const int kind = std::isnan(got) ? kAdmitsNan
                   : got == kInf   ? kAdmitsPlusInf
                   : got == -kInf  ? kAdmitsMinusInf
                                   : kAdmitsFinite;
  if ((admits & kAdmitsAnything) == 0) {
    if ((admits & kind) == 0) {
      wanted = Verdict::kNonfiniteMismatch;
    } else if (got == 9.0) {
      wanted = Verdict::kOutOfBound;
    }
  }
  RC_ASSERT(compare(returned<double>({1, got}), reference, {}).verdict == wanted);
}

RC_GTEST_PROP(CompareProperty, TheWorstRatioIsTheLargest, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 4000);
  std::vector<double> got(count);
  for (double& value : got) value = *rc::gen::inRange(-1000, 1000) / 1000.0;
  RatioHistogram ratios;
  const Comparison result = compare(
      returned<double>(got),
      reference_of<double>(std::vector<double>(count, 0), std::vector<double>(count, 1)), {}, &ratios);
  const auto largest =
      std::max_element(got.begin(), got.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  RC_ASSERT(result.verdict == Verdict::kAgree);
  RC_ASSERT(result.ratio == std::abs(*largest));
  RC_ASSERT(ratios.max() == result.ratio);
  RC_ASSERT(ratios.total() == static_cast<std::int64_t>(count));
}

TEST(Compare, ExtremeDifferencesAndBounds) {
  const double huge = std::numeric_limits<double>::max();
  const auto verdict = [&](double got, double value, double bound) {
    return compare(returned<double>({got}), reference_of<double>({value}, {bound}), {}).verdict;
  };
  EXPECT_EQ(verdict(-huge, huge, 1), Verdict::kOutOfBound);
  EXPECT_EQ(verdict(-huge, huge, kInf), Verdict::kAgree);
  EXPECT_EQ(verdict(kInf, huge, kInf), Verdict::kNonfiniteMismatch);
  EXPECT_EQ(verdict(5e-324, 0, 5e-324), Verdict::kAgree);
  EXPECT_EQ(verdict(1e-323, 0, 5e-324), Verdict::kOutOfBound);
  EXPECT_EQ(verdict(1, 1, kNan), Verdict::kOutOfBound);
}

}  // namespace
}  // namespace deformdiff
