#include "generators/common/storage_layout.h"

#include "generators/common/normal_fill.h"
#include "generators/common/numbers.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Tensor counted(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return Tensor::of<float>(DType::kFloat32, shape, values);
}

bool same_elements(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  for (std::int64_t i = 0; i < a.elements(); ++i) {
    if (a.element(i) != b.element(i)) return false;
  }
  return true;
}

TEST(StorageLayout, KeepsTheElements) {
  const Tensor dense = counted({3, 1, 4, 5});
  for (const StorageLayout layout : {StorageLayout::kOffset, StorageLayout::kSliced,
                                     StorageLayout::kTransposed, StorageLayout::kStepped}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Tensor laid_out = with_storage_layout(dense, layout, CounterRandom(seed));
      EXPECT_TRUE(same_elements(laid_out, dense));
    }
  }
}

TEST(StorageLayout, ExpandedAxesRepeatIndexZero) {
  const Tensor dense = counted({3, 4});
  bool both_seen[2] = {false, false};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Tensor expanded = with_storage_layout(dense, StorageLayout::kExpanded, CounterRandom(seed));
    const bool rows = expanded.strides()[0] == 0;
    both_seen[rows ? 0 : 1] = true;
    for (std::int64_t i = 0; i < 12; ++i) EXPECT_EQ(expanded.element(i), rows ? i % 4 : i / 4 * 4);
  }
  EXPECT_TRUE(both_seen[0] && both_seen[1]);
}

TEST(StorageLayout, WhatOverlapsIsWhatComesFirst) {
  const Tensor rows = with_storage_layout(counted({3, 4}), StorageLayout::kOverlapping, CounterRandom(1));
  EXPECT_EQ(rows.strides(), (Shape{1, 1}));
  const std::vector<double> expected{0, 1, 2, 3, 1, 2, 3, 7, 2, 3, 7, 11};
  for (std::int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(rows.element(i), expected[static_cast<std::size_t>(i)]);
    const bool repeats = i / 4 > 0 && i % 4 < 3;
    EXPECT_EQ(is_repetition(traits_of(rows), rows.shape(), i), repeats) << i;
  }
}

TEST(StorageLayout, HiddenElementsAreLoud) {
  const Tensor offset = with_storage_layout(counted({2, 3}), StorageLayout::kOffset, CounterRandom(1));
  ASSERT_GT(offset.offset(), 0);
  const float hidden = offset.storage_as<float>()[0];
  EXPECT_TRUE(std::isnan(hidden) || hidden == 1e30F);
}

constexpr auto kLayouts = {StorageLayout::kContiguous, StorageLayout::kOffset,  StorageLayout::kSliced,
                           StorageLayout::kTransposed, StorageLayout::kStepped, StorageLayout::kExpanded,
                           StorageLayout::kOverlapping};

using Layouts = std::vector<StorageLayout>;

Layouts possible(DType dtype, const Shape& shape) {
  Layouts layouts;
  for (const StorageLayout layout : kLayouts) {
    if (can_have(layout, dtype, shape)) layouts.push_back(layout);
  }
  return layouts;
}

TEST(StorageLayout, IsPossibleWhereShapeAndTypeShowIt) {
  using enum StorageLayout;
  const Layouts all(kLayouts), whole{kContiguous, kOffset, kSliced, kTransposed, kStepped};
  for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kBool}) {
    const bool floating = is_floating(dtype);
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 0, 2}})
      EXPECT_EQ(possible(dtype, shape), (Layouts{kContiguous}));
    for (const Shape& shape : {Shape{1}, Shape{1, 1, 1}})
      EXPECT_EQ(possible(dtype, shape), (Layouts{kContiguous, kOffset, kSliced}));
    for (const Shape& shape : {Shape{2}, Shape{1, 3}, Shape{3, 1, 1}}) {
      EXPECT_EQ(possible(dtype, shape), floating
                                            ? (Layouts{kContiguous, kOffset, kSliced, kStepped, kExpanded})
                                            : (Layouts{kContiguous, kOffset, kSliced, kStepped}));
    }
    for (const Shape& shape : {Shape{2, 2}, Shape{3, 1, 4}, Shape{2, 3, 4, 5}})
      EXPECT_EQ(possible(dtype, shape), floating ? all : whole);
  }
}

/// The first elements of the storage: what who ignores strides and offset takes for the tensor's.
Tensor read_as_contiguous(const Tensor& tensor) {
  const float* const first = tensor.storage_as<float>();
  return Tensor::of<float>(DType::kFloat32, tensor.shape(),
                           std::vector<float>(first, first + tensor.elements()));
}

TEST(StorageLayout, ShowsWhereItIsPossible) {
  for (const Shape& shape : {Shape{1}, Shape{1, 1}, Shape{4}, Shape{1, 3}, Shape{3, 1, 4}, Shape{2, 3, 4}}) {
    for (const StorageLayout layout : kLayouts) {
      constexpr int kSeeds = 20;
      int shown = 0, contiguous = 0;
      for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        const Tensor laid_out = with_storage_layout(counted(shape), layout, CounterRandom(seed));
        if (complexity(traits_of(laid_out), shape) > 0) ++shown;
        if (same_elements(read_as_contiguous(laid_out), laid_out)) ++contiguous;
      }
      const auto what = testing::Message()
                        << "layout " << static_cast<int>(layout) << " of " << testing::PrintToString(shape);
      if (layout == StorageLayout::kContiguous || !can_have(layout, DType::kFloat32, shape)) {
        EXPECT_EQ(contiguous, kSeeds) << what;
      } else if (layout == StorageLayout::kSliced) {
        EXPECT_GE(shown, kSeeds / 2) << what;  // a slice drawn twice along one axis may be all of it
      } else {
        EXPECT_EQ(shown, kSeeds) << what;
        EXPECT_LT(contiguous, kSeeds) << what;
      }
    }
  }
}

TEST(StorageLayout, TypeAndAxesSayWhichThereAre) {
  using enum StorageLayout;
  EXPECT_EQ(layouts_of(DType::kFloat32, 0), Layouts{});
  EXPECT_EQ(layouts_of(DType::kFloat32, 1), (Layouts{kOffset, kSliced, kStepped, kExpanded}));
  EXPECT_EQ(layouts_of(DType::kFloat64, 2),
            (Layouts{kOffset, kSliced, kTransposed, kStepped, kExpanded, kOverlapping}));
  EXPECT_EQ(layouts_of(DType::kInt64, 1), (Layouts{kOffset, kSliced, kStepped}));
  EXPECT_EQ(layouts_of(DType::kInt64, 2), (Layouts{kOffset, kSliced, kTransposed, kStepped}));
  EXPECT_EQ(layouts_of(DType::kBool, 4), (Layouts{kOffset, kSliced, kTransposed, kStepped}));
}

TEST(StorageTraits, SurviveAndGetSimpler) {
  const Tensor dense = counted({3, 2, 4, 5});
  for (const StorageLayout layout :
       {StorageLayout::kOffset, StorageLayout::kSliced, StorageLayout::kTransposed, StorageLayout::kStepped,
        StorageLayout::kExpanded, StorageLayout::kOverlapping}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Tensor laid_out = with_storage_layout(dense, layout, CounterRandom(seed));
      const StorageTraits traits = traits_of(laid_out);
      const Tensor again = with_traits(laid_out.contiguous(), traits);
      EXPECT_TRUE(same_elements(again, laid_out));
      EXPECT_EQ(again.is_contiguous(), laid_out.is_contiguous());
      EXPECT_EQ(complexity(traits_of(again), again.shape()), complexity(traits, dense.shape()));
      const StorageTraits plain = simpler_traits(traits).front();
      EXPECT_EQ(complexity(plain, dense.shape()), 0);
      EXPECT_TRUE(with_traits(laid_out.contiguous(), plain).is_contiguous());
    }
  }
}

TEST(Numbers, StepsAreNeighbours) {
  EXPECT_EQ(step_ulps(1.0F, 1), std::nextafter(1.0F, 2.0F));
  EXPECT_EQ(step_ulps(1.0, -2), std::nextafter(std::nextafter(1.0, 0.0), 0.0));
  EXPECT_EQ(step_ulps(-0.25F, 1), std::nextafter(-0.25F, 0.0F));
  EXPECT_EQ(step_ulps(0.0, -1), std::nextafter(0.0, -1.0));
}

TEST(Numbers, NormalHasMeanZeroAndVarianceOne) {
  const CounterRandom random(3);
  double sum = 0, squares = 0, sum_float = 0, squares_float = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double x = normal(random.bits(static_cast<std::uint64_t>(i)));
    const double y =
        normal_float(static_cast<std::uint32_t>(random.bits(static_cast<std::uint64_t>(i)) >> 7));
    sum += x;
    squares += x * x;
    sum_float += y;
    squares_float += y * y;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(squares / kCount, 1, 0.03);
  EXPECT_NEAR(sum_float / kCount, 0, 0.02);
  EXPECT_NEAR(squares_float / kCount, 1, 0.03);
}

TEST(Numbers, FillingInWideRegistersGivesTheSameBits) {
  const CounterRandom random(17);
  std::vector<float> floats(1111);
  std::vector<double> doubles(777);
  fill_normal(random, floats.size(), floats.data());
  fill_normal(random, doubles.size(), doubles.data());
  for (std::size_t i = 0; i < floats.size(); ++i) {
    const std::uint64_t word = random.bits(i / 2);
    ASSERT_EQ(floats[i], normal_float(static_cast<std::uint32_t>(i % 2 == 0 ? word : word >> 32)));
  }
  for (std::size_t i = 0; i < doubles.size(); ++i) ASSERT_EQ(doubles[i], normal(random.bits(i)));
}

}  // namespace
}  // namespace deformdiff
