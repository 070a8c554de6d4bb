#include "generators/staged/ablations.h"

#include "generators/shrink/draft.h"
#include "generators/staged/every_block_test.h"

#include <optional>
#include <set>
#include <string>

namespace deformdiff {
namespace {

class EveryAblation : public EveryBlock {};

TEST_P(EveryAblation, GivesValidCasesThatAreTheirOwnWay) {
  constexpr std::uint64_t kCases = 6;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    const Case c = generator().generate(3, {"adversarial"}, i);
    for (const Ablation& each : deep_ablations(block())) {
      const std::optional<Case> way = each.without(c)();
      if (!way) continue;
      EXPECT_TRUE(is_valid(block(), *way)) << each.words;
      EXPECT_EQ(each.without(*way)(), way) << each.words << ", case " << i;
    }
  }
}

TEST_P(EveryAblation, HasWordsOfItsOwn) {
  std::set<std::string> words;
  for (const Ablation& each : deep_ablations(block())) {
    EXPECT_TRUE(words.insert(each.words).second) << each.words;
  }
}

INSTANTIATE_TEST_SUITE_P(Blocks, EveryAblation, testing::ValuesIn(every_generator()), name_of_block);

}  // namespace
}  // namespace deformdiff
