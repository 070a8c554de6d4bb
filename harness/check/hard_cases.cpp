#include "check/hard_cases.h"

#include "check/hard_edits.h"
#include "check/hard_sizes.h"
#include "generators/shrink/draft.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace deformdiff {
namespace {

using Sizes = ReplaySizes (*)(std::size_t levels);

/// What a mask of the size of the finest map is resized to, where that is an input.
using Target = LevelSize (*)(const LevelSize& map);

LevelSize as_it_is(const LevelSize& map) {
  return map;
}
LevelSize one_row(const LevelSize& map) {
  return {1, map.width};
}
LevelSize one_column(const LevelSize& map) {
  return {map.height, 1};
}
LevelSize one_pixel(const LevelSize&) {
  return {1, 1};
}
LevelSize half(const LevelSize& map) {
  return {(map.height + 1) / 2, (map.width + 1) / 2};
}
LevelSize twice(const LevelSize& map) {
  return {2 * map.height, 2 * map.width};
}
LevelSize nearly_half(const LevelSize& map) {
  return {map.height / 2 + 1, map.width / 2};
}

struct Kind {
  const char* name;
  const char* what;
  Sizes sizes;
  Target target;
  DeepTier tier;
  std::optional<Twist> twist;
  Edit edit;
  std::vector<std::string_view> triggers;  ///< the case hits one of them, or is left out; empty: `edit` says
};

const std::vector<Kind>& kinds() {
  constexpr DeepTier kTypical = DeepTier::kTypical, kPadded = DeepTier::kAdversarial;
  static const std::vector<Kind> all{
      {"one_row",
       "levels of a single row",
       levels_of_one_row,
       one_row,
       kTypical,
       {},
       nullptr,
       {"one_pixel_high", "target_one_row"}},
      {"one_column",
       "levels of a single column",
       levels_of_one_column,
       one_column,
       kTypical,
       {},
       nullptr,
       {"one_pixel_wide", "target_one_column"}},
      {"one_pixel",
       "levels of a single pixel",
       levels_of_one_pixel,
       one_pixel,
       kTypical,
       {},
       nullptr,
       {"one_pixel_level", "target_one_row"}},
      {"finest_one_row",
       "a finest map of a single row",
       finest_of_one_row,
       half,
       kTypical,
       {},
       has_finest,
       {}},
      {"finest_one_column",
       "a finest map of a single column",
       finest_of_one_column,
       half,
       kTypical,
       {},
       has_finest,
       {}},
      {"same_size", "maps that need no resizing", same_everywhere, as_it_is, kTypical, {}, resizes, {}},
      {"whole_multiple",
       "maps resized by a whole factor",
       levels_half_as_large,
       half,
       kTypical,
       {},
       resizes,
       {}},
      {"enlarged",
       "masks resized to more pixels",
       levels_twice_as_large,
       twice,
       kTypical,
       {},
       resizes_masks,
       {}},
      {"many_rows", "more than 256 rows", of_many_rows, nearly_half, kTypical, {}, nullptr, {}},
      {"many_columns", "more than 256 columns", of_many_columns, nearly_half, kTypical, {}, nullptr, {}},
      {"very_many_rows",
       "more than 2048 rows",
       of_very_many_rows,
       nearly_half,
       kTypical,
       {},
       counts_alone,
       {}},
      {"very_many_columns",
       "more than 2048 columns",
       of_very_many_columns,
       nearly_half,
       kTypical,
       {},
       counts_alone,
       {}},
      {"twin_levels",
       "levels with each other's sides, exchanged",
       twin_levels,
       half,
       kTypical,
       {},
       nullptr,
       {"transposed_levels"}},
      {"equal_rows", "a norm of equal numbers", small_sizes, half, kTypical, {}, equal_rows, {}},
      {"small_variance",
       "a norm of a variance like its epsilon",
       small_sizes,
       half,
       kTypical,
       {},
       small_variance,
       {}},
      {"large_mean",
       "a norm of numbers around 1000",
       small_sizes,
       half,
       kTypical,
       {},
       large_mean,
       {"large_mean"}},
      {"equal_scores", "keys that all have one score", small_sizes, half, kTypical, {}, equal_scores, {}},
      {"large_scores",
       "scores whose exponentials overflow",
       small_sizes,
       half,
       kTypical,
       {},
       large_scores,
       {}},
      {"one_open_key",
       "a single open key a query, or pixel an image",
       small_sizes,
       half,
       kTypical,
       {},
       one_open_key,
       {}},
      {"one_blocked_key",
       "masks that block one of 257 keys",
       of_257_pixels,
       as_it_is,
       kTypical,
       {},
       one_blocked_key,
       {}},
      {"last_masked",
       "a mask of the last image alone",
       small_sizes,
       half,
       kTypical,
       {},
       last_image_masked,
       {}},
      {"mask_by_head",
       "heads with masks of their own",
       small_sizes,
       half,
       kTypical,
       Twist::kPerHeadMask,
       nullptr,
       {"per_head_mask"}},
      {"at_threshold",
       "mask logits exactly at the threshold",
       same_everywhere,
       as_it_is,
       kTypical,
       Twist::kZeroMaskLogits,
       nullptr,
       {"zero_mask_logits"}},
      {"near_threshold",
       "mask logits close to the threshold",
       same_everywhere,
       as_it_is,
       kTypical,
       {},
       near_threshold,
       {}},
      {"cancelling",
       "masks whose neighbours cancel when they are resized",
       levels_half_as_large,
       half,
       kTypical,
       {},
       cancelling,
       {}},
      {"padded", "padded images", small_sizes, half, kPadded, {}, nullptr, {"valid_ratio_below_one"}},
      {"padded_image",
       "an image that is all padding",
       small_sizes,
       half,
       kTypical,
       Twist::kWholeRowsMask,
       nullptr,
       {"padded_image"}},
      {"scattered_mask",
       "padding that is no rectangle",
       small_sizes,
       half,
       kTypical,
       Twist::kScatteredMask,
       nullptr,
       {"padding_mask", "position_mask"}},
      {"odd_references",
       "references on centres, borders and outside, others for each level",
       small_sizes,
       half,
       kTypical,
       Twist::kOddReferences,
       nullptr,
       {"reference_outside", "reference_on_border"}},
      {"reduced",
       "a level resized to fewer pixels",
       levels_twice_as_large,
       twice,
       kTypical,
       {},
       resizes_levels_alone,
       {}},
  };
  return all;
}

bool is_any_of(const std::string& trigger, const Kind& kind) {
  return std::ranges::find(kind.triggers, trigger) != kind.triggers.end();
}

bool can_hit(const EditContext& context, const Kind& kind) {
  return kind.triggers.empty() ||
         std::ranges::any_of(context.entry.generator->triggers(),
                             [&](const TriggerClass& trigger) { return is_any_of(trigger.name, kind); });
}

bool hits(const EditContext& context, const Case& c, const Kind& kind) {
  return kind.triggers.empty() ||
         std::ranges::any_of(context.entry.generator->triggers_hit(c),
                             [&](const std::string& trigger) { return is_any_of(trigger, kind); });
}

/// Nothing where the block or the module has not what it takes.
std::optional<Case> made(const EditContext& context, const Kind& kind, const ReplaySizes& sizes,
                         std::uint64_t seed) {
  Manner manner{kind.tier, {}};
  if (kind.twist) manner.twists.insert(*kind.twist);
  Case c = replay_case(context.source, sizes, seed, manner);
  const LevelSize target = kind.target(sizes.finest);
  set_input(c, "target_size", int64_tensor({2}, {target.height, target.width}));
  if (kind.edit != nullptr && !kind.edit(context, c)) return std::nullopt;
  derive_again(context.source, c);
  if (!hits(context, c, kind)) return std::nullopt;
  context.source.block.validate(c);
  return c;
}

}  // namespace

std::vector<ReplayCase> hard_cases(const BlockEntry& entry, const ReplaySource& source, std::uint64_t seed,
                                   int threads) {
  // Not every draw has what is looked for: an image that is padded, a reference on the border.
  constexpr std::uint64_t kTries = 8;
  const EditContext context{entry, source, threads};
  const std::size_t levels = sizes_of(source).levels.size();
  std::vector<ReplayCase> cases;
  for (const Kind& kind : kinds()) {
    seed += kTries;
    if (!can_hit(context, kind)) continue;
    const ReplaySizes sizes = kind.sizes(levels);
    std::optional<Case> c;
    const std::uint64_t tries = kind.triggers.empty() ? 1 : kTries;
    for (std::uint64_t i = 0; i < tries && !c; ++i) c = made(context, kind, sizes, seed + i);
    if (c) cases.push_back({kind.name, sizes, *std::move(c), kind.what});
  }
  return cases;
}

}  // namespace deformdiff
