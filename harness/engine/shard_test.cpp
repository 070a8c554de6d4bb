#include "engine/shard.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(Shard, EveryCaseHasOne) {
  for (const std::uint64_t count : {1U, 2U, 3U, 7U}) {
    std::vector<std::uint64_t> cases(count);
    for (std::uint64_t c = 0; c < 1000; ++c) {
      std::uint64_t owners = 0;
      for (std::uint64_t index = 0; index < count; ++index) {
        const bool owns = Shard{index, count}.owns(c);
        owners += owns ? 1 : 0;
        cases[index] += owns ? 1 : 0;
      }
      EXPECT_EQ(owners, 1U) << c;
    }
    for (std::uint64_t index = 0; index < count; ++index) {
      EXPECT_EQ((Shard{index, count}.cases_of(1000)), cases[index]) << index << " of " << count;
    }
  }
}

TEST(Shard, GoesFromChunkToChunk) {
  const Shard second{1, 3};
  EXPECT_EQ(second.next_owned(0), 64U);
  EXPECT_EQ(second.next_owned(70), 70U);
  EXPECT_EQ(second.end_of(70, 1000), 128U);
  EXPECT_EQ(second.next_owned(128), 256U);
  EXPECT_EQ(second.end_of(260, 300), 300U);
  EXPECT_EQ((Shard{}.end_of(70, 1000)), 1000U);
  EXPECT_EQ(text_of(second), "2/3");
}

}  // namespace
}  // namespace deformdiff
