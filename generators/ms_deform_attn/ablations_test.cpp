#include "generators/ms_deform_attn/ablations.h"

#include "blocks/ms_deform_attn.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/simplicity.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr std::uint64_t kCases = 150;
constexpr std::int64_t kLargest = 20000;

bool all_levels(const Problem& p, bool (*is)(const Level&)) {
  return std::ranges::all_of(p.levels, is);
}

bool all_pixels(const Problem& p, const std::function<bool(double pixel, double side)>& is) {
  const MapSides sides(p);
  for (std::int64_t i = 0; i < p.sampling_loc.elements(); ++i) {
    const auto side = static_cast<double>(sides(i));
    if (!is(p.sampling_loc.element(i) * side - 0.5, side)) return false;
  }
  return true;
}

bool is_one_hot(const Problem& p) {
  const std::int64_t group = p.dims.L * p.dims.P;
  for (std::int64_t i = 0; i < p.attn_weight.elements(); ++i) {
    if (p.attn_weight.element(i) != (i % group == 0 ? 1 : 0)) return false;
  }
  return true;
}

/// What holds of a case without each property.
const std::map<std::string, std::function<bool(const Problem&)>>& without() {
  static const std::map<std::string, std::function<bool(const Problem&)>> all{
      {"one level", [](const Problem& p) { return p.dims.L <= 1; }},
      {"one point", [](const Problem& p) { return p.dims.P <= 1; }},
      {"one head", [](const Problem& p) { return p.dims.M <= 1; }},
      {"a batch of one", [](const Problem& p) { return p.dims.N <= 1; }},
      {"one query", [](const Problem& p) { return p.dims.Q <= 1; }},
      {"levels in their order and no rows between",
       [](const Problem& p) { return p.has_consecutive_levels(); }},
      {"channels in fours", [](const Problem& p) { return p.dims.D % 4 == 0; }},
      {"im2col_step 64", [](const Problem& p) { return p.im2col_step == 64; }},
      {"square maps",
       [](const Problem& p) {
         return all_levels(p, [](const Level& level) { return level.height == level.width; });
       }},
      {"maps whose sides are powers of two",
       [](const Problem& p) {
         return all_levels(p, [](const Level& level) {
           return std::has_single_bit(static_cast<std::uint64_t>(level.height)) &&
                  std::has_single_bit(static_cast<std::uint64_t>(level.width));
         });
       }},
      {"points inside the map",
       [](const Problem& p) {
         return all_pixels(
             p, [](double pixel, double side) { return pixel >= -1e-9 && pixel <= side - 1 + 1e-9; });
       }},
      {"points on pixels' centres",
       [](const Problem& p) {
         return all_pixels(p, [](double pixel, double side) {
           return !std::isfinite(pixel) ||
                  std::abs(pixel - std::round(pixel)) <= 0x1p-23 * (std::abs(pixel) + side + 1);
         });
       }},
      {"one-hot weights", is_one_hot},
      {"maps of one pixel", [](const Problem& p) {
         return all_levels(p, [](const Level& level) { return level.height == 1 && level.width == 1; });
       }}};
  return all;
}

std::optional<Case> small_case(std::uint64_t index) {
  Case c = generator().generate(5, {}, index);
  if (element_count(c) > kLargest) return std::nullopt;
  return c;
}

TEST(Ablations, TakeAwayWhatTheySay) {
  const Ablations all = ablations(block());
  ASSERT_EQ(all.size(), without().size());
  std::map<std::string, int> changed;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const std::optional<Case> c = small_case(i);
    if (!c) continue;
    for (const Ablation& each : all) {
      const auto is_without = without().at(each.words);
      const CaseStream ways = each.without(*c);
      for (std::optional<Case> way = ways(); way; way = ways()) {
        ASSERT_TRUE(is_without(parse(*way))) << each.words << ", case " << i;
        if (*way == *c) break;
        EXPECT_EQ(each.without(*way)(), way) << "it is its own way: " << each.words << ", case " << i;
        ++changed[each.words];
        if (each.words == "one query") break;
      }
    }
  }
  for (const Ablation& each : all) EXPECT_GT(changed[each.words], 10) << each.words;
}

TEST(Ablations, KeepEachOfSeveralAlone) {
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const std::optional<Case> c = small_case(i);
    if (!c || parse(*c).dims.L < 2) continue;
    const CaseStream ways = ablations(block()).front().without(*c);
    std::int64_t count = 0;
    while (const std::optional<Case> way = ways()) {
      const Level kept = parse(*way).levels[0];
      const Level level = parse(*c).levels[static_cast<std::size_t>(count++)];
      EXPECT_EQ(kept.height, level.height);
      EXPECT_EQ(kept.width, level.width);
    }
    EXPECT_EQ(count, parse(*c).dims.L);
  }
}

TEST(Ablations, NoRowOfPixelsIsMadeSquare) {
  const Ablations all = ablations(block());
  const Ablation& square = *std::ranges::find(all, "square maps", &Ablation::words);
  int rows = 0;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const std::optional<Case> c = small_case(i);
    const auto is_row = [](const Level& level) { return (level.height == 1) != (level.width == 1); };
    if (!c || !std::ranges::any_of(parse(*c).levels, is_row)) continue;
    ++rows;
    EXPECT_FALSE(square.without(*c)().has_value()) << i;
  }
  EXPECT_GT(rows, 10);
}

/// What holds without each property is asked of the operator's inputs, which the backward has too.
TEST(BackwardAblations, TakeAwayWhatTheySay) {
  const Ablations all = ablations(backward_block());
  ASSERT_EQ(all.size(), without().size() + 1);
  std::map<std::string, int> changed;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const Case c = backward_generator().generate(5, {}, i);
    if (element_count(c) > kLargest) continue;
    for (const Ablation& each : all) {
      const CaseStream ways = each.without(c);
      const std::optional<Case> way = ways();
      if (!way) continue;
      ASSERT_NO_THROW(backward_block().validate(*way)) << each.words << ", case " << i;
      const auto found = without().find(each.words);
      if (found == without().end()) {
        const Tensor& gradient = way->input("grad_output");
        for (std::int64_t k = 0; k < gradient.elements(); ++k) ASSERT_EQ(gradient.element(k), 1);
      } else {
        ASSERT_TRUE(found->second(parse(*way))) << each.words << ", case " << i;
      }
      if (*way != c) ++changed[each.words];
    }
  }
  for (const Ablation& each : all) EXPECT_GT(changed[each.words], 10) << each.words;
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
