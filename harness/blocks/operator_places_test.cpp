#include "blocks/operator_places.h"

#include "blocks/ms_deform_attn.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// N 1, M 2, D 4, Q 2, L 2, P 1; level 0 is 1 x 9, level 1 a single pixel.
Case case_with(const std::vector<float>& locations, const std::vector<float>& weights) {
  const Tensor value(DType::kFloat32, {1, 10, 2, 4}, Tensor::Bytes(80 * sizeof(float)));
  return {"ms_deform_attn",
          {{"im2col_step", 64}},
          {{"value", value},
           {"spatial_shapes", int64_tensor({2, 2}, {1, 9, 1, 1})},
           {"level_start_index", int64_tensor({2}, {0, 9})},
           {"sampling_loc", Tensor::of<float>(DType::kFloat32, {1, 2, 2, 2, 1, 2}, std::span(locations))},
           {"attn_weight", Tensor::of<float>(DType::kFloat32, {1, 2, 2, 2, 1}, std::span(weights))}},
          {}};
}

std::vector<Place> places_of(const Case& c, std::int64_t element) {
  return places(c, "output", {1, 2, 8}, std::vector{element});
}

const Place* find(const std::vector<Place>& places, const std::string& grid) {
  const auto found = std::ranges::find(places, grid, &Place::grid);
  return found == places.end() ? nullptr : &*found;
}

/// The weights of query 1 and head 0, on level 0 and on level 1; 0 elsewhere.
std::vector<float> weights_of(float on_level_0, float on_level_1) {
  return {0, 0, 0, 0, on_level_0, on_level_1, 0, 0};
}

TEST(OperatorPlaces, AxesThatDivideSomething) {
  // Query 1, head 0, channel 2.
  const auto at = places_of(case_with(std::vector<float>(16, 0.5F), weights_of(1, 1)), 10);
  EXPECT_EQ(find(at, "batch"), nullptr);
  EXPECT_EQ(find(at, "query")->cell, kAxisParts / 2);
  EXPECT_EQ(find(at, "head")->cell, 0);
  EXPECT_EQ(find(at, "channel")->cell, kAxisParts / 2);
}

TEST(OperatorPlaces, TheElementsOnlyPoint) {
  std::vector<float> locations(16, std::numeric_limits<float>::quiet_NaN());
  // Query 1, head 0: level 0 at the left border, on the row's centre; level 1 far beyond the lower right.
  locations[8] = 0;
  locations[9] = 0.5F;
  locations[10] = locations[11] = 1e30F;
  const auto first = places_of(case_with(locations, weights_of(0.5F, 0)), 10);
  EXPECT_EQ(find(first, "map of level 0")->rows, kMapCells);
  EXPECT_EQ(find(first, "map of level 0")->columns, kMapCells);
  EXPECT_EQ(find(first, "map of level 0")->cell, 2 * kMapCells + 1);
  EXPECT_EQ(find(first, "map of level 1"), nullptr);
  const auto second = places_of(case_with(locations, weights_of(0, -1)), 10);
  EXPECT_EQ(find(second, "map of level 1")->cell, kMapCells * kMapCells - 1);
}

TEST(OperatorPlaces, ChannelsShareTheirPoint) {
  const Case c = case_with(std::vector<float>(16, 0.5F), weights_of(1, 0));
  const auto both = places(c, "output", {1, 2, 8}, std::vector<std::int64_t>{10, 11});
  EXPECT_EQ(std::ranges::count(both, "map of level 0", &Place::grid), 1);
  EXPECT_EQ(std::ranges::count(both, "query", &Place::grid), 2);
}

TEST(OperatorPlaces, OfSeveralPointsOrNoneOrANanThereIsNoMap) {
  const std::vector<float> inside(16, 0.5F), nan(16, std::numeric_limits<float>::quiet_NaN());
  for (const Case& c : {case_with(inside, weights_of(1, 1)), case_with(inside, weights_of(0, 0)),
                        case_with(nan, weights_of(1, 0))}) {
    EXPECT_EQ(find(places_of(c, 10), "map of level 0"), nullptr);
    EXPECT_EQ(find(places_of(c, 10), "map of level 1"), nullptr);
  }
}

TEST(OperatorPlaces, ColumnsOfAMapAreByWhatAPointReaches) {
  // Pixel coordinates along nine pixels, and the column of each.
  const std::vector<std::pair<float, int>> columns{{-1.5F, 0}, {-1, 0},   {-0.5F, 1}, {0, 2},
                                                   {0.9F, 2},  {1.1F, 3}, {7.9F, 9},  {8, 9},
                                                   {8.5F, 10}, {9, 11},   {20, 11}};
  for (const auto& [x, column] : columns) {
    std::vector<float> locations(16, 0.5F);
    locations[8] = (x + 0.5F) / 9;
    const auto at = places_of(case_with(locations, weights_of(1, 0)), 10);
    EXPECT_EQ(find(at, "map of level 0")->cell % kMapCells, column) << x;
  }
}

/// The same case of the backward.
Case backward_case(const std::vector<float>& locations) {
  Case c = case_with(locations, weights_of(1, 1));
  c.block = backward_block().name();
  c.inputs.push_back({"grad_output", Tensor(DType::kFloat32, {1, 2, 8}, Tensor::Bytes(16 * sizeof(float)))});
  return c;
}

TEST(BackwardPlaces, OfAGradientOfValue) {
  const Case c = backward_case(std::vector<float>(16, 0.5F));
  const auto at = [&](std::int64_t element) {
    return backward_places(c, "grad_value", {1, 10, 2, 4}, std::vector{element});
  };
  // Row 8, the last pixel of level 0; head 1, channel 3.
  const auto last = at(8 * 8 + 7);
  EXPECT_EQ(find(last, "batch"), nullptr);
  EXPECT_EQ(find(last, "query"), nullptr);
  EXPECT_EQ(find(last, "head")->cell, kAxisParts / 2);
  EXPECT_EQ(find(last, "channel")->cell, 3 * kAxisParts / 4);
  EXPECT_EQ(find(last, "map of level 0")->cell, 2 * kMapCells + kMapCells - 3);
  EXPECT_EQ(find(at(0), "map of level 0")->cell, 2 * kMapCells + 2);
  EXPECT_NE(find(at(9 * 8), "map of level 1"), nullptr);
  EXPECT_EQ(find(at(9 * 8), "map of level 0"), nullptr);
}

TEST(BackwardPlaces, OfARowOfNoLevel) {
  Case c = backward_case(std::vector<float>(16, 0.5F));
  c.inputs[1].tensor = int64_tensor({2, 2}, {1, 3, 1, 1});
  const auto at = backward_places(c, "grad_value", {1, 10, 2, 4}, std::vector<std::int64_t>{5 * 8});
  EXPECT_NE(find(at, "rows of no level"), nullptr);
  EXPECT_EQ(find(at, "map of level 0"), nullptr);
}

TEST(BackwardPlaces, OfAPoint) {
  std::vector<float> locations(16, 0.5F);
  // Query 1, head 0: level 0 at the left border; level 1 nowhere.
  locations[8] = 0;
  locations[10] = std::numeric_limits<float>::quiet_NaN();
  const Case c = backward_case(locations);
  const auto y = backward_places(c, "grad_sampling_loc", {1, 2, 2, 2, 1, 2}, std::vector<std::int64_t>{9});
  EXPECT_EQ(find(y, "query")->cell, kAxisParts / 2);
  EXPECT_EQ(find(y, "head")->cell, 0);
  EXPECT_EQ(find(y, "level")->cell, 0);
  EXPECT_EQ(find(y, "point"), nullptr);
  EXPECT_EQ(find(y, "x, y")->columns, 2);
  EXPECT_EQ(find(y, "x, y")->cell, 1);
  EXPECT_EQ(find(y, "map of level 0")->cell, 2 * kMapCells + 1);
  const auto weight = backward_places(c, "grad_attn_weight", {1, 2, 2, 2, 1}, std::vector<std::int64_t>{5});
  EXPECT_EQ(find(weight, "level")->cell, kAxisParts / 2);
  EXPECT_EQ(find(weight, "x, y"), nullptr);
  EXPECT_EQ(find(weight, "map of level 1"), nullptr) << "its point is nowhere";
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
