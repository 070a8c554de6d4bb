#include "engine/references.h"

#include "engine/parallel.h"

#include <atomic>
#include <limits>
#include <mutex>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Case case_of(std::vector<float> values) {
  Case c;
  c.inputs = {{"x", Tensor::of<float>(DType::kFloat32, {static_cast<std::int64_t>(values.size())}, values)}};
  return c;
}

/// Counts evaluations; the reference's total is the number of elements.
class CountingOracle : public Oracle {
 public:
  Reference evaluate(const Case& c, const Precision&, const Contract&, int) const override {
    ++evaluations;
    Reference reference;
    reference.total_elements = element_count(c);
    return reference;
  }
  Explanation explain(const Case&, const Precision&, const Contract&, const std::string&,
                      std::int64_t) const override {
    return {};
  }
  std::string element_class(const Case&, const std::string&, std::int64_t) const override { return ""; }
  std::int64_t memory(const Case&) const override { return 0; }
  mutable std::atomic<int> evaluations = 0;
};

SubjectInfo subject_with(NonfiniteLocation location, Coordinates coordinates, Deterministic deterministic) {
  SubjectInfo info;
  info.precision.coordinates = coordinates;
  info.contract.nonfinite_location = location;
  info.contract.deterministic = deterministic;
  return info;
}

TEST(References, AreSharedWhereTheDeclarationsMeanTheSame) {
  const std::vector<Case> cases{case_of({1, 2}), case_of({std::numeric_limits<float>::infinity(), 2, 3})};
  const SubjectInfo one = subject_with(NonfiniteLocation::kZero, Coordinates::kFused, Deterministic::kYes);
  const SubjectInfo two = subject_with(NonfiniteLocation::kNan, Coordinates::kFused, Deterministic::kNo);
  References references(cases);
  for (const std::size_t position : {0U, 1U}) {
    references.need(position, one);
    references.need(position, two);
  }
  const CountingOracle oracle;
  references.evaluate(oracle, 2);
  EXPECT_EQ(oracle.evaluations, 3);  // the finite case once, the other for each promise
  EXPECT_EQ(&references.of(0, one), &references.of(0, two));
  EXPECT_NE(&references.of(1, one), &references.of(1, two));
  EXPECT_EQ(references.of(1, two).total_elements, 3);
}

TEST(References, OtherArithmeticIsAnotherReference) {
  const std::vector<Case> cases{case_of({1})};
  const SubjectInfo one = subject_with(NonfiniteLocation::kAny, Coordinates::kFused, Deterministic::kYes);
  const SubjectInfo two =
      subject_with(NonfiniteLocation::kAny, Coordinates::kGridSample, Deterministic::kYes);
  References references(cases);
  references.need(0, one);
  references.need(0, two);
  const CountingOracle oracle;
  references.evaluate(oracle, 1);
  EXPECT_EQ(oracle.evaluations, 2);
}

TEST(References, WhatNobodyNeedsIsAnError) {
  const std::vector<Case> cases{case_of({1})};
  const References references(cases);
  EXPECT_THROW(references.of(0, SubjectInfo{}), InternalError);
}

TEST(IsTame, WhereNoProductCanOverflow) {
  EXPECT_TRUE(is_tame(case_of({1, -1e15F, 0})));
  EXPECT_FALSE(is_tame(case_of({1e20F})));
  EXPECT_FALSE(is_tame(case_of({-std::numeric_limits<float>::infinity()})));
  EXPECT_FALSE(is_tame(case_of({0, std::numeric_limits<float>::quiet_NaN()})));
}

TEST(ParallelFor, DoesEachPieceOnce) {
  std::vector<std::atomic<int>> done(1000);
  parallel_for(done.size(), 4, [&](std::size_t i) { ++done[i]; });
  for (const auto& times : done) EXPECT_EQ(times, 1);
}

TEST(ParallelFor, ThrowsWhatAPieceThrew) {
  EXPECT_THROW(parallel_for(100, 3,
                            [](std::size_t i) {
                              if (i == 50) throw InputError("fifty");
                            }),
               InputError);
}

}  // namespace
}  // namespace deformdiff
