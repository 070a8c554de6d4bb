#include "cli/coverage.h"

#include "core/error.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

std::int64_t count_of(const std::vector<TriggerClass>& classes, const char* name) {
  return std::ranges::count(classes, name, &TriggerClass::name);
}

TEST(ReachableClasses, ThoseOfAnUndrawnTierAreLeftOut) {
  EXPECT_EQ(count_of(reachable_classes({"ms_deform_attn"}, {}), "border_exact"), 1);
  EXPECT_EQ(count_of(reachable_classes({"ms_deform_attn"}, {}), "products_above_2_31"), 0);
  EXPECT_EQ(count_of(reachable_classes({"ms_deform_attn"}, {"huge"}), "products_above_2_31"), 1);
}

TEST(ReachableClasses, WhatBlocksShareIsThereOnce) {
  const auto one = reachable_classes({"encoder_layer"}, {});
  const auto both = reachable_classes({"encoder_layer", "decoder_layer"}, {});
  for (const TriggerClass& each : one) EXPECT_EQ(count_of(both, each.name.c_str()), 1) << each.name;
  EXPECT_THROW(reachable_classes({"nosuch"}, {}), InputError);
}

}  // namespace
}  // namespace deformdiff::cli
