#include "engine/error_places.h"

#include "core/random.h"

#include <numeric>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(ElementSample, KeepsAllOfAFew) {
  ElementSample sample;
  for (const std::int64_t element : {7, 3, 5}) sample.add(element, 100 - static_cast<std::uint64_t>(element));
  EXPECT_EQ(sample.elements(), (std::vector<std::int64_t>{3, 5, 7}));
}

TEST(ElementSample, OfManyIsEvenAndDoesNotDependOnTheirOrder) {
  constexpr std::int64_t kElements = 100;
  std::vector<std::int64_t> seen(kElements);
  for (std::uint64_t run = 0; run < 1000; ++run) {
    const CounterRandom random(run);
    ElementSample up, down;
    for (std::int64_t i = 0; i < kElements; ++i) {
      up.add(i, random.bits(static_cast<std::uint64_t>(i)));
      const std::int64_t back = kElements - 1 - i;
      down.add(back, random.bits(static_cast<std::uint64_t>(back)));
    }
    EXPECT_EQ(up.elements(), down.elements());
    ASSERT_EQ(up.elements().size(), ElementSample::kMost);
    for (const std::int64_t element : up.elements()) ++seen[static_cast<std::size_t>(element)];
  }
  // Each is expected 160 times, with a standard deviation of 11.6.
  for (const std::int64_t times : seen) EXPECT_NEAR(static_cast<double>(times), 160, 60);
}

Comparison wrong_at(std::vector<std::int64_t> elements) {
  Comparison comparison;
  comparison.verdict = Verdict::kOutOfBound;
  comparison.output = "layers.3.fc1";
  comparison.shape = {2, 32};
  comparison.sampled = std::move(elements);
  return comparison;
}

TEST(ErrorPlaces, CountsByTheAxesOfTheStagesFamily) {
  ErrorPlaces places;
  note_places(axis_places, {}, 0, wrong_at({0, 1, 63}), places);
  ASSERT_EQ(places.size(), 2U);
  const PlaceCounts& first = places.at("layers.*.fc1, axis 1 of 2");
  EXPECT_EQ(first.rows, 1);
  EXPECT_EQ(first.columns, kAxisParts);
  EXPECT_EQ(first.wrong[0], 2);
  EXPECT_EQ(first.wrong[kAxisParts / 2], 1);
  const PlaceCounts& second = places.at("layers.*.fc1, axis 2 of 2");
  EXPECT_EQ(second.wrong.front(), 2);
  EXPECT_EQ(second.wrong.back(), 1);
}

TEST(ErrorPlaces, DrawsAsManyElementsBesideThem) {
  ErrorPlaces places;
  for (std::uint64_t index = 0; index < 400; ++index) {
    note_places(axis_places, {}, index, wrong_at({3, 4, 5, 6}), places);
  }
  const PlaceCounts& counts = places.at("layers.*.fc1, axis 2 of 2");
  EXPECT_EQ(std::accumulate(counts.wrong.begin(), counts.wrong.end(), std::int64_t{0}), 1600);
  EXPECT_EQ(std::accumulate(counts.drawn.begin(), counts.drawn.end(), std::int64_t{0}), 1600);
  for (const std::int64_t drawn : counts.drawn) EXPECT_NEAR(static_cast<double>(drawn), 100, 50);
  ErrorPlaces again;
  for (std::uint64_t index = 0; index < 400; ++index) {
    note_places(axis_places, {}, index, wrong_at({3, 4, 5, 6}), again);
  }
  EXPECT_EQ(again, places);
}

TEST(ErrorPlaces, AddUp) {
  ErrorPlaces all, one, other;
  note_places(axis_places, {}, 0, wrong_at({0}), one);
  note_places(axis_places, {}, 1, wrong_at({63}), other);
  add(one, all);
  add(other, all);
  ErrorPlaces both;
  note_places(axis_places, {}, 0, wrong_at({0}), both);
  note_places(axis_places, {}, 1, wrong_at({63}), both);
  EXPECT_EQ(all, both);
}

TEST(ErrorPlaces, NothingWhereNoElementIsToBlame) {
  ErrorPlaces places;
  note_places(axis_places, {}, 0, {}, places);
  EXPECT_TRUE(places.empty());
}

}  // namespace
}  // namespace deformdiff
