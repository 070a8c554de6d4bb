#include "engine/references.h"

#include "engine/parallel.h"
#include "engine/toy_block_test.h"

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

const Oracle& counting_operation(const std::string&, DType) {
  static const CountingOracle oracle;
  return oracle;
}

/// Of its four stages one depends on the case's inputs alone.
const BlockEntry& counting() {
  static const ToyBlock block;
  static const BlockEntry entry{&block, counting_operation, nullptr, {}};
  CountingOracle::evaluations = 0;
  return entry;
}

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
  References references(counting(), cases);
  for (const std::size_t position : {0U, 1U}) {
    references.need(position, one);
    references.need(position, two);
  }
  references.evaluate(2);
  EXPECT_EQ(CountingOracle::evaluations, 3);  // the finite case once, the other for each promise
  EXPECT_EQ(&references.of(0, one), &references.of(0, two));
  EXPECT_NE(&references.of(1, one), &references.of(1, two));
  ASSERT_EQ(references.of(1, two).size(), 1U);
  EXPECT_EQ(references.of(1, two).at("layers.0.third")->total_elements, 3);
}

TEST(References, OtherArithmeticIsAnotherReference) {
  const std::vector<Case> cases{case_of({1})};
  const SubjectInfo one = subject_with(NonfiniteLocation::kAny, Coordinates::kFused, Deterministic::kYes);
  const SubjectInfo two =
      subject_with(NonfiniteLocation::kAny, Coordinates::kGridSample, Deterministic::kYes);
  References references(counting(), cases);
  references.need(0, one);
  references.need(0, two);
  references.evaluate(1);
  EXPECT_EQ(CountingOracle::evaluations, 2);
}

TEST(References, WhatNobodyNeedsIsAnError) {
  const std::vector<Case> cases{case_of({1})};
  const References references(counting(), cases);
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
