#include "generators/staged/generator.h"

#include "blocks/block_list.h"
#include "core/conditions.h"
#include "core/error.h"
#include "generators/common/layout_count_test.h"
#include "generators/common/sizes_of_case_test.h"
#include "generators/staged/every_block_test.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

INSTANTIATE_TEST_SUITE_P(DeepGenerator, EveryBlock, testing::ValuesIn(every_generator()), name_of_block);

TEST(DeepGenerators, AreThoseOfTheBlocks) {
  constexpr std::size_t kOperators = 2;  // the operator and its backward come first
  ASSERT_EQ(deep_generators().size() + kOperators, block_definitions().size());
  for (std::size_t k = 0; k < deep_generators().size(); ++k) {
    EXPECT_EQ(&deep_generators()[k].block(), block_definitions()[k + kOperators]);
  }
}

TEST_P(EveryBlock, CasesDependOnNothingBefore) {
  const Case late = generator().generate(9, {}, 77);
  generator().generate(9, {}, 3);
  EXPECT_EQ(generator().generate(9, {}, 77), late);
  EXPECT_NE(generator().generate(10, {}, 77), late);
  EXPECT_NE(generator().generate(9, {}, 78), late);
  EXPECT_EQ(generator().generate(1, {"degenerate", "typical"}, 5),
            generator().generate(1, {"typical", "degenerate"}, 5));
  EXPECT_THROW(generator().generate(1, {"typically"}, 5), InputError);
}

TEST_P(EveryBlock, AnOutlineHasTheSizesOfItsCase) {
  EXPECT_FALSE(generator().outline({1, {}, ""}, 0));
  const StreamChoice choice{1, {}, "N>=0"};
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Case c = generator().generate(choice, i);
    const Case outline = generator().outline(choice, i).value();
    EXPECT_EQ(outline.provenance, c.provenance);
    EXPECT_EQ(outline.attributes, c.attributes);
    EXPECT_EQ(dense_bytes(outline), dense_bytes(c)) << "case " << i;
    EXPECT_EQ(block().working_memory(outline, {}), block().working_memory(c, {})) << "case " << i;
    EXPECT_EQ(block().compute_dtype(outline), block().compute_dtype(c)) << "case " << i;
    EXPECT_LT(storage_bytes(outline), 1 << 12) << "case " << i;
  }
}

TEST_P(EveryBlock, EveryCaseIsValidAndEveryTriggerClassIsReached) {
  constexpr int kCases = 1500;
  std::map<std::string, int> hits;
  std::map<std::string, int> tiers;
  std::int64_t elements = 0;
  std::int64_t large = 0;
  for (int i = 0; i < kCases; ++i) {
    const Case c = generator().generate(1, {}, static_cast<std::uint64_t>(i));
    ASSERT_NO_THROW(block().validate(c)) << "case " << i;
    ++tiers[c.provenance.tier];
    for (const std::string& name : generator().triggers_hit(c)) ++hits[name];
    const std::int64_t size = element_count(c);
    elements += size;
    if (size > 200000) ++large;
    ASSERT_LT(size, 3000000) << "case " << i;
  }
  EXPECT_LE(large, kCases / 50);
  RecordProperty("mean_elements", static_cast<int>(elements / kCases));
  for (const TriggerClass& trigger : generator().triggers()) {
    EXPECT_GE(hits[trigger.name], 2) << trigger.name;
    RecordProperty(trigger.name, hits[trigger.name]);
  }
  for (const Tier& tier : generator().tiers()) {
    EXPECT_NEAR(tiers[tier.name], tier.share * kCases / 100, 90) << tier.name;
  }
}

TEST_P(EveryBlock, OnlyCasesOfTheNamedTierAreDrawn) {
  for (const Tier& tier : generator().tiers()) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(generator().generate(2, {tier.name}, i).provenance.tier, tier.name);
    }
  }
}

/// Of inputs that are mostly there and mostly large enough; the others have their turns where they are.
TEST_P(EveryBlock, EveryInputHasEveryStorageLayoutIn300Cases) {
  for (const std::uint64_t seed : {1U, 2U}) {
    for (const auto& [which, count] : count_features(generator(), seed, {}, 0, 300)) {
      if (count.possible >= 150) EXPECT_GE(count.seen, 1) << which.first << " " << which.second;
    }
  }
}

TEST_P(EveryBlock, OnlyCasesThatMeetTheConditionsAreDrawn) {
  const std::map<std::string, std::int64_t> known =
      sizes_of_case(block(), generator().generate(1, {"typical"}, 0));
  for (const std::string only :
       {"B==3", "N<=2", "M==8,D==32", "num_heads==8", "D%3==0,M>=2", "Q==5", "L==3,P==4", "H0==7,W0==5",
        "S==40", "F==64", "H==9", "batch_first==1", "im2col_step==2", "C==48", "Dd==16,M==2"}) {
    const std::vector<Condition> conditions = parse_conditions(only);
    if (!std::ranges::all_of(conditions, [&](const Condition& each) { return known.contains(each.name); }))
      continue;
    for (std::uint64_t i = 0; i < 12; ++i) {
      const Case c = generator().generate({1, {}, only}, i);
      ASSERT_NO_THROW(block().validate(c)) << only << " case " << i;
      ASSERT_EQ(first_violated(only, sizes_of_case(block(), c)), "") << only << " case " << i;
    }
  }
  EXPECT_THROW(generator().generate({1, {}, "B==1,B==2"}, 0), InputError);
  EXPECT_THROW(generator().generate({1, {}, "nosuch==1"}, 0), InputError);
}

TEST_P(EveryBlock, ElementsAreFinite) {
  for (std::uint64_t i = 0; i < 60; ++i) {
    const Case c = generator().generate(3, {}, i);
    if (element_count(c) > 50000) continue;
    for (const NamedTensor& input : c.inputs) {
      for (std::int64_t k = 0; k < input.tensor.elements(); ++k) {
        ASSERT_TRUE(std::isfinite(input.tensor.element(k))) << "case " << i << ", " << input.name;
      }
    }
  }
}

/// FNV-1a over everything that an implementation is given.
std::uint64_t hash_of_cases(const Generator& generator, std::uint64_t count) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto add = [&hash](const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
  };
  for (std::uint64_t i = 0; i < count; ++i) {
    const Case c = generator.generate(1, {}, i);
    for (const auto& [name, value] : c.attributes) add(&value, sizeof value);
    for (const NamedTensor& input : c.inputs) {
      add(input.name.data(), input.name.size());
      add(input.tensor.shape().data(), input.tensor.shape().size() * sizeof(std::int64_t));
      add(input.tensor.strides().data(), input.tensor.strides().size() * sizeof(std::int64_t));
      add(input.tensor.storage().data(), input.tensor.storage().size());
    }
  }
  return hash;
}

// These change only when what is generated changes: then every seed in old reports means something else.
TEST(DeepGenerators, GoldenHashes) {
  const std::map<std::string, std::uint64_t> wanted{
      {"position_embedding", 0x2acb09f40b5d45e0ULL},    {"reference_points", 0xd569fd78045eceebULL},
      {"attention_layer", 0x599fbf542918fb96ULL},       {"encoder_layer", 0x8b665051e60175dULL},
      {"pixel_decoder_encoder", 0x21da3d4822f6a9b5ULL}, {"pixel_decoder", 0x26160b64e08f057fULL},
      {"decoder_layer", 0x3da475b78ee3003dULL},         {"mask_predictor", 0x85c3a3396763d240ULL},
      {"transformer_decoder", 0xda21a6750672d859ULL},   {"mask2former_head", 0xa38bc7d608750b2fULL}};
  for (const DeepGenerator& generator : deep_generators()) {
    const std::string block = generator.block().name();
    const std::uint64_t found = hash_of_cases(generator, 40);
    const auto known = wanted.find(block);
    ASSERT_NE(known, wanted.end()) << block << " has no hash yet; it is 0x" << std::hex << found;
    EXPECT_EQ(found, known->second) << block << std::hex << " 0x" << found;
  }
}

/// Standard deviation of a tensor's elements.
double spread(const Tensor& tensor) {
  double sum = 0;
  double squares = 0;
  const auto n = static_cast<double>(tensor.elements());
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    sum += tensor.element(i);
    squares += tensor.element(i) * tensor.element(i);
  }
  return std::sqrt(squares / n - sum / n * (sum / n));
}

TEST(DeepGenerators, TypicalParametersAreSpreadAsStated) {
  const Generator& generator = *std::ranges::find(
      deep_generators(), "encoder_layer", [](const DeepGenerator& each) { return each.block().name(); });
  double offsets = 0;
  double weights = 0;
  double norms = 0;
  constexpr int kCases = 60;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const Case c = generator.generate(4, {"typical"}, i);
    const Tensor& weight = c.input("param.fc1.weight");
    offsets += spread(c.input("param.self_attn.sampling_offsets.bias"));
    weights += spread(weight) * std::sqrt(static_cast<double>(weight.dim(1)));
    norms += spread(c.input("param.final_layer_norm.weight"));
  }
  EXPECT_NEAR(offsets / kCases, 1.5, 0.1);
  EXPECT_NEAR(weights / kCases, 1.2, 0.05);
  EXPECT_NEAR(norms / kCases, 0.2, 0.02);
}

}  // namespace
}  // namespace deformdiff
