// Mutants of cases of every block.
#include "generators/mutate/mutate.h"

#include "blocks/ms_deform_attn.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/staged/every_block_test.h"

#include <functional>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Of cases of the operator, its backward and every deep block.
void each_case(const std::function<void(const BlockDefinition&, const Case&)>& look) {
  constexpr std::uint64_t kCases = 6;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    look(ms_deform_attn::block(), ms_deform_attn::generator().generate(1, {"adversarial"}, i));
    look(ms_deform_attn::backward_block(),
         ms_deform_attn::backward_generator().generate(1, {"adversarial"}, i));
    for (const DeepGenerator* generator : every_generator()) {
      look(generator->block(), generator->generate(1, {}, i));
    }
  }
}

constexpr std::uint64_t kKeys = 24;

TEST(Mutated, IsAValidOtherCase) {
  int made = 0, wanted = 0;
  each_case([&](const BlockDefinition& block, const Case& c) {
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      const std::optional<Case> mutant = mutated(block, c, key, false);
      ++wanted;
      if (!mutant) continue;
      ++made;
      EXPECT_NO_THROW(block.validate(*mutant));
      EXPECT_NE(*mutant, c);
      EXPECT_EQ(mutated(block, c, key, false), mutant) << "not a function of its arguments";
    }
  });
  EXPECT_GT(made, wanted / 2);
}

TEST(Mutated, KeepsSizesWhereItMust) {
  each_case([](const BlockDefinition& block, const Case& c) {
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      const std::optional<Case> mutant = mutated(block, c, key, true);
      if (mutant) EXPECT_EQ(block.dimensions(*mutant), block.dimensions(c));
    }
  });
}

TEST(Mutated, ChangesNumbersSizesAndStorage) {
  const BlockDefinition& block = ms_deform_attn::block();
  const Case c = ms_deform_attn::generator().generate(1, {"typical"}, 0);
  bool larger = false, smaller = false, number = false, storage = false;
  for (std::uint64_t key = 0; key < 200; ++key) {
    const std::optional<Case> mutant = mutated(block, c, key, false);
    if (!mutant) continue;
    larger = larger || element_count(*mutant) > element_count(c);
    smaller = smaller || element_count(*mutant) < element_count(c);
    if (block.dimensions(*mutant) != block.dimensions(c)) continue;
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      const Tensor &before = c.inputs[i].tensor, &after = mutant->inputs[i].tensor;
      number = number || after.contiguous() != before.contiguous();
      storage = storage || after.is_contiguous() != before.is_contiguous();
    }
  }
  EXPECT_TRUE(larger && smaller && number && storage) << larger << smaller << number << storage;
}

TEST(Mutated, OfNothingIsNothing) {
  const BlockDefinition& block = ms_deform_attn::block();
  Case c = ms_deform_attn::generator().generate(1, {"degenerate"}, 0);
  c.inputs.pop_back();
  EXPECT_FALSE(mutated(block, c, 0, true)) << "a case that is not valid has no valid neighbour of its size";
}

}  // namespace
}  // namespace deformdiff
