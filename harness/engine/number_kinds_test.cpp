#include "engine/number_kinds.h"

#include "engine/third_block_test.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(NumberKinds, AreThoseOfTheirType) {
  EXPECT_EQ(kinds_in(third_case({0, -0.F, 1, -1e19F, 1e-18F})), NumberKinds{});
  EXPECT_EQ(kinds_in(third_case({kNaN})), NumberKinds{NumberKind::kNaN});
  EXPECT_EQ(kinds_in(third_case({1, -kInfinity})), NumberKinds{NumberKind::kInfinity});
  EXPECT_EQ(kinds_in(third_case({-2e19F, 1e-45F})), (NumberKinds{NumberKind::kHuge, NumberKind::kTiny}));
  Case c = third_case({1});
  const std::vector<double> doubles{1e150, 1e-150};
  c.inputs[0].tensor = Tensor::of<double>(DType::kFloat64, {2}, doubles);
  EXPECT_EQ(kinds_in(c), NumberKinds{});
}

TEST(NumberKinds, AreReplacedWhereTheyAre) {
  const Case c = third_case({-kInfinity, 2, kNaN, 3e38F});
  const Case ones = with_replaced(c, {NumberKind::kInfinity, NumberKind::kHuge}, std::nullopt);
  EXPECT_EQ(numbers_of(ones)[0], -1);
  EXPECT_EQ(numbers_of(ones)[1], 2);
  EXPECT_TRUE(std::isnan(numbers_of(ones)[2]));
  EXPECT_EQ(numbers_of(ones)[3], 1);
  for (const NumberKind kind :
       {NumberKind::kNaN, NumberKind::kInfinity, NumberKind::kHuge, NumberKind::kTiny}) {
    EXPECT_EQ(kinds_in(with_replaced(third_case({kNaN, 1}), {NumberKind::kNaN}, kind)), NumberKinds{kind});
  }
}

TEST(NumberKinds, KeepTheirTensorsStrides) {
  Case c = third_case({kInfinity, 2, 3, kInfinity});
  const Tensor dense = c.inputs[0].tensor;
  c.inputs[0].tensor = Tensor(DType::kFloat32, {2}, {2}, 1, dense.shared_storage());
  const Tensor replaced = with_replaced(c, {NumberKind::kInfinity}, std::nullopt).inputs[0].tensor;
  EXPECT_EQ(replaced.strides(), Shape{2});
  EXPECT_EQ(replaced.element(0), 2);
  EXPECT_EQ(replaced.element(1), 1);
}

TEST(NumberKinds, AreNeededWhereWithoutThemNothingFails) {
  const auto fails = [](const Case& c) { return kinds_in(c).contains(NumberKind::kHuge); };
  EXPECT_EQ(kinds_needed(third_case({3e38F, kInfinity}), fails), NumberKinds{NumberKind::kHuge});
}

TEST(NumberKinds, CasesFailApartUnlessOneKindDoesForTheOther) {
  const FailingCase infinite{third_case({kInfinity}), {NumberKind::kInfinity}};
  const FailingCase nan{third_case({kNaN}), {NumberKind::kNaN}};
  const FailingCase huge{third_case({3e38F}), {NumberKind::kHuge}};
  const FailingCase ordinary{third_case({1}), {}};
  const auto fails = [](const Case& c) { return !std::isfinite(numbers_of(c)[0]); };
  EXPECT_FALSE(fail_apart(infinite, nan, fails));
  EXPECT_FALSE(fail_apart(infinite, infinite, fails));
  const auto none = [](const Case&) { return false; };
  EXPECT_TRUE(fail_apart(infinite, huge, none));
  EXPECT_TRUE(fail_apart(ordinary, huge, none));
}

TEST(NumberKinds, AreToldToPeople) {
  EXPECT_EQ(text_of({}), "ordinary numbers");
  EXPECT_EQ(text_of({NumberKind::kNaN}), "NaN");
  EXPECT_EQ(text_of({NumberKind::kHuge, NumberKind::kInfinity}), "infinities and huge numbers");
}

}  // namespace
}  // namespace deformdiff
