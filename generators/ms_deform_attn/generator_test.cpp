#include "generators/ms_deform_attn/generator.h"

#include "blocks/ms_deform_attn.h"
#include "core/conditions.h"
#include "core/error.h"
#include "generators/common/case_hash_test.h"
#include "generators/common/layout_count_test.h"
#include "generators/common/sizes_of_case_test.h"
#include "generators/ms_deform_attn/exact.h"
#include "generators/ms_deform_attn/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff::ms_deform_attn {
namespace {

std::uint64_t hash_of_first(const std::vector<std::string>& tiers, std::uint64_t count) {
  std::uint64_t hash = 0;
  for (std::uint64_t i = 0; i < count; ++i) hash = hash * 31 + hash_of(generator().generate(1, tiers, i));
  return hash;
}

// These change only when what is generated changes: then every seed in old reports means something else.
TEST(Generator, GoldenHashes) {
  EXPECT_EQ(hash_of_first({}, 200), 0x5c94ad84cfc5848cULL);
  EXPECT_EQ(hash_of_first({"exact"}, 50), 0x49426071ba2dc8e6ULL);
  EXPECT_EQ(hash_of_first({"nonfinite"}, 50), 0x3459e344febbc68bULL);
  EXPECT_EQ(hash_of(standard_case(1, 0)), 0xd74cd0b4045c9502ULL);
  EXPECT_EQ(hash_of(model_case("small256", "near", DType::kFloat64, 1)), 0x21c1a41e234f0f06ULL);
}

TEST(Generator, CasesDependOnNothingBefore) {
  const Case late = generator().generate(9, {}, 777);
  generator().generate(9, {}, 3);
  EXPECT_EQ(generator().generate(9, {}, 777), late);
  EXPECT_NE(generator().generate(10, {}, 777), late);
  EXPECT_NE(generator().generate(9, {}, 778), late);
}

TEST(Generator, OrderOfTierNamesDoesNotMatter) {
  EXPECT_EQ(generator().generate(1, {"exact", "typical"}, 5),
            generator().generate(1, {"typical", "exact"}, 5));
  EXPECT_THROW(generator().generate(1, {"exactly"}, 5), InputError);
}

TEST(Generator, EveryCaseIsValidAndEveryTriggerClassIsReached) {
  constexpr std::uint64_t kCases = 5000;
  std::map<std::string, int> hits;
  std::map<std::string, int> tiers;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const Case c = generator().generate(1, {}, i);
    ASSERT_NO_THROW(block().validate(c)) << "case " << i;
    ++tiers[c.provenance.tier];
    for (const std::string& name : generator().triggers_hit(c)) ++hits[name];
  }
  for (const TriggerClass& trigger : generator().triggers()) {
    for (std::uint64_t i = 0; !trigger.tier.empty() && i < 2; ++i) {
      EXPECT_EQ(hits[trigger.name], i) << trigger.name;
      for (const std::string& name : generator().triggers_hit(generator().generate(1, {trigger.tier}, i)))
        ++hits[name];
    }
    EXPECT_GE(hits[trigger.name], 2) << trigger.name;
    RecordProperty(trigger.name, hits[trigger.name]);
  }
  for (const Tier& tier : generator().tiers()) {
    EXPECT_NEAR(tiers[tier.name], tier.share * static_cast<int>(kCases) / 100, 150) << tier.name;
  }
}

TEST(Generator, EveryLimitIsPassedCheaplyInARunOfUsualLengthAtEverySeed) {
  constexpr std::uint64_t kCases = 2000;
  constexpr std::array kClasses{"queries_above_65535", "batch_above_1024", "batch_above_65535",
                                "side_above_32767", "negative_zero"};
  for (const std::uint64_t seed : {0, 1, 2, 3, 4, 99}) {
    std::map<std::string, int> hits;
    for (std::uint64_t i = 0; i < kCases; ++i) {
      const Case c = generator().generate(seed, {}, i);
      for (const std::string& name : generator().triggers_hit(c)) ++hits[name];
      const Dims d = parse(c).dims;
      // What is large for more than one reason comes once in a thousand cases.
      if (d.N > 1024) {
        EXPECT_LT(multiply_adds(d), 1 << 22) << "seed " << seed << " case " << i;
      }
    }
    for (const char* name : kClasses) EXPECT_GE(hits[name], 2) << name << " at seed " << seed;
  }
}

TEST(Generator, LimitsArePassedOnlyWhereTheTierIsDrawn) {
  for (std::uint64_t i = 0; i < 500; ++i) {
    const Dims d = parse(generator().generate(1, {"typical", "exact"}, i)).dims;
    EXPECT_LE(std::max(d.N, d.Q), 65535) << "case " << i;
  }
}

TEST(Generator, EveryInputHasEveryStorageLayoutIn200Cases) {
  const std::vector<std::string> typical{"typical"};
  for (const auto& [seed, tiers, first] :
       {std::tuple(1, std::vector<std::string>{}, 0), std::tuple(2, std::vector<std::string>{}, 1000),
        std::tuple(3, typical, 200)}) {
    auto counts = count_features(generator(), static_cast<std::uint64_t>(seed), tiers,
                                 static_cast<std::uint64_t>(first), 200);
    for (const char* input :
         {"value", "spatial_shapes", "level_start_index", "sampling_loc", "attn_weight"}) {
      const bool indices =
          input == std::string("spatial_shapes") || input == std::string("level_start_index");
      for (const char* feature : {"offset", "gap"})
        EXPECT_GE((counts[{input, feature}].seen), 1) << input << " " << feature;
      if (input != std::string("level_start_index"))
        EXPECT_GE((counts[{input, "transposed"}].seen), 1) << input;
      for (const char* feature : {"expanded", "overlapping"})
        EXPECT_EQ((counts[{input, feature}].seen > 0), !indices) << input << " " << feature;
    }
  }
}

TEST(Generator, OnlyCasesThatMeetTheConditionsAreDrawn) {
  for (const char* only : {"M==8,D==32,L==3,P==4", "D%8==0,L<=4", "N>=5,Q!=1", "S==21760,L==4", "S<=7",
                           "S%64==0", "L==12,P>2", "im2col_step==1,N>1", "D==1000,M==16", "Q==65536"}) {
    std::map<std::string, int> tiers;
    std::set<std::uint64_t> different;
    for (std::uint64_t i = 0; i < 60; ++i) {
      const Case c = generator().generate({1, {}, only}, i);
      ASSERT_NO_THROW(block().validate(c)) << only << " case " << i;
      ASSERT_EQ(first_violated(only, sizes_of_case(block(), c)), "") << only << " case " << i;
      ASSERT_LT(storage_bytes(c), std::int64_t{1} << 28) << only << " case " << i;
      ++tiers[c.provenance.tier];
      different.insert(hash_of(c));
    }
    EXPECT_GE(tiers.size(), 4U) << only;
    EXPECT_GE(different.size(), 50U) << only;
  }
}

TEST(Generator, AnOutlineHasTheSizesOfItsCase) {
  EXPECT_FALSE(generator().outline({1, {}, ""}, 0));
  const StreamChoice choice{1, {}, "Q>=5,im2col_step<=3"};
  for (std::uint64_t i = 0; i < 60; ++i) {
    const Case c = generator().generate(choice, i);
    const Case outline = generator().outline(choice, i).value();
    EXPECT_EQ(outline.provenance, c.provenance);
    EXPECT_EQ(dense_bytes(outline), dense_bytes(c)) << "case " << i;
    EXPECT_EQ(block().working_memory(outline, {}), block().working_memory(c, {})) << "case " << i;
    EXPECT_EQ(sizes_of_case(block(), outline), sizes_of_case(block(), c)) << "case " << i;
  }
  const Case large = generator().outline({1, {"typical"}, "N==64,Q==1048576,M==64,D==64"}, 0).value();
  EXPECT_GT(dense_bytes(large), std::int64_t{1} << 33);
  EXPECT_LT(storage_bytes(large), 1 << 12);
}

TEST(Generator, ConditionsThatNoCaseMeetsAreRefused) {
  for (const char* only : {"D<=4,D>=8", "M%8==9", "X==1", "D==0", "P<1", "D==2000000", "L>=5,S<=3",
                           "N==1048576,Q==1048576,M==1048576,D==1048576"}) {
    EXPECT_THROW(generator().generate({1, {"typical"}, only}, 0), InputError) << only;
  }
}

TEST(Generator, ConditionsArePartOfWhatACaseIs) {
  const Case c = generator().generate({1, {}, "M==8"}, 3);
  EXPECT_EQ(c.provenance.generator, "fuzz --only M==8");
  EXPECT_EQ(generator().generate({1, {}, "M==8"}, 3), c);
  // These two admit every case, and each has a stream of its own.
  EXPECT_NE(generator().generate({1, {}, "N>=0"}, 3).inputs,
            generator().generate({1, {}, "N>=0,N>=0"}, 3).inputs);
}

TEST(HugeTier, HasMoreProductsThan32BitsCountInSmallTensors) {
  for (std::uint64_t i = 0; i < 12; ++i) {
    const Case c = generator().generate(1, {"huge"}, i);
    const Dims d = parse(c).dims;
    EXPECT_EQ(c.provenance.tier, "huge");
    EXPECT_GT(products(d), std::int64_t{1} << 31);
    EXPECT_LT(products(d), (std::int64_t{1} << 31) + (std::int64_t{1} << 26));
    EXPECT_LT(storage_bytes(c), std::int64_t{1} << 27);
    Precision precision;
    precision.coordinates = Coordinates::kFused;
    EXPECT_LT(block().working_memory(c, precision), std::int64_t{1} << 29);
    EXPECT_LT(block().working_memory(c, {}), std::int64_t{1} << 29) << "it does not say how it samples";
    precision.coordinates = Coordinates::kGridSample;
    EXPECT_GT(block().working_memory(c, precision), std::int64_t{8} << 30) << "samples of all points";
  }
}

TEST(HugeTier, IsDrawnWhereItIsNamed) {
  std::map<std::string, int> tiers;
  for (std::uint64_t i = 0; i < 60; ++i)
    ++tiers[generator().generate(1, {"nonfinite", "huge"}, i).provenance.tier];
  EXPECT_GE(tiers["huge"], 1);
  EXPECT_GE(tiers["nonfinite"], 45);
}

TEST(HugeTier, MeetsConditionsOrSaysWhyItCannot) {
  for (const char* only : {"M==8,L==4", "P>16,D%8==0", "N==5,im2col_step==2", "S==7,L<=4", "Q>=65"}) {
    for (std::uint64_t i = 0; i < 3; ++i) {
      const Case c = generator().generate({1, {"huge"}, only}, i);
      const Dims d = parse(c).dims;
      EXPECT_EQ(first_violated(only, sizes_of_case(block(), c)), "");
      EXPECT_GT(products(d), std::int64_t{1} << 31) << only;
    }
  }
  for (const char* only : {"D==32", "Q==1", "S==1048576", "N==1048576,M==1048576,D==1048576,L==1048576"})
    EXPECT_THROW(generator().generate({1, {"huge"}, only}, 0), InputError) << only;
}

TEST(Generator, TriggersOfAKnownCase) {
  const Case c = model_case("ddetr_dec", "near", DType::kFloat32, 1);
  const std::vector<std::string> hit = generator().triggers_hit(c);
  const auto has = [&](const char* name) { return std::find(hit.begin(), hit.end(), name) != hit.end(); };
  EXPECT_TRUE(has("not_square"));
  EXPECT_TRUE(has("float32"));
  EXPECT_FALSE(has("levels_above_4"));
  EXPECT_FALSE(has("batch_above_step"));
  EXPECT_FALSE(has("value_not_contiguous"));
  EXPECT_FALSE(has("nan_location"));
}

TEST(StandardCase, HasTheStatedMeanSize) {
  double total = 0;
  for (std::uint64_t i = 0; i < 1000; ++i)
    total += static_cast<double>(multiply_adds(parse(standard_case(3, i)).dims));
  EXPECT_NEAR(total / 1000, 279000, 50000);
}

TEST(ModelCase, HasTheStatedShapes) {
  const Case case_of_encoder = model_case("m2f_enc", "uniform", DType::kFloat32, 1);
  const Dims encoder = parse(case_of_encoder).dims;
  EXPECT_EQ(encoder.S, 21950);
  EXPECT_EQ(encoder.Q, 21950);
  const Case case_of_decoder = model_case("ddetr_dec", "near", DType::kFloat64, 1);
  const Dims decoder = parse(case_of_decoder).dims;
  EXPECT_EQ(decoder.S, 22223);
  EXPECT_EQ(decoder.Q, 300);
  EXPECT_THROW(model_case("m2f", "near", DType::kFloat32, 1), InputError);
  EXPECT_THROW(model_case("m2f_enc", "far", DType::kFloat32, 1), InputError);
}

/// Whether x is a multiple of 2^-fraction.
bool has_fraction(double x, int fraction) {
  const double scaled = std::ldexp(x, fraction);
  return scaled == std::floor(scaled);
}

TEST(ExactTier, ElementsAreWithinTheBudget) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Case c = generator().generate(2, {"exact"}, i);
    const Problem problem = parse(c);
    const ExactBudget budget =
        exact_budget({problem.dtype, problem.dims, problem.levels, problem.im2col_step});
    const int bits = 2 * budget.fraction + budget.weight + 1 + budget.magnitude +
                     static_cast<int>(std::ceil(std::log2(problem.dims.L * problem.dims.P))) + 2;
    EXPECT_LE(bits, problem.dtype == DType::kFloat64 ? 53 : 24);
    EXPECT_GE(budget.magnitude, 1);
    for (std::int64_t k = 0; k < std::min<std::int64_t>(problem.value.elements(), 500); ++k) {
      const double v = problem.value.element(k);
      ASSERT_TRUE(has_fraction(v, 0) && std::abs(v) < std::ldexp(1.0, budget.magnitude));
    }
    for (std::int64_t k = 0; k < std::min<std::int64_t>(problem.attn_weight.elements(), 500); ++k) {
      ASSERT_TRUE(has_fraction(problem.attn_weight.element(k), budget.weight));
      const Level& level = problem.levels[static_cast<std::size_t>(k / problem.dims.P % problem.dims.L)];
      const double pixel = problem.sampling_loc.element(2 * k) * static_cast<double>(level.width) - 0.5;
      ASSERT_TRUE(has_fraction(pixel, budget.fraction));
    }
  }
}

}  // namespace
}  // namespace deformdiff::ms_deform_attn
