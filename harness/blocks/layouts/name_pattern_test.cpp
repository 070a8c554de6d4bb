#include "blocks/layouts/name_pattern.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(NamePattern, LettersStandForNumbers) {
  const NamePattern pattern("layers.{i}.norm{n}");
  const auto numbers = pattern.match("layers.12.norm1");
  ASSERT_TRUE(numbers);
  EXPECT_EQ(numbers->at('i'), 12);
  EXPECT_EQ(numbers->at('n'), 1);
  EXPECT_EQ(pattern.name(*numbers), "layers.12.norm1");
}

TEST(NamePattern, TheWholeNameMustMatch) {
  const NamePattern pattern("layers.{i}.fc1");
  for (const char* name : {"layers.1.fc10", "layers.1.fc", "layers.x.fc1", "layers..fc1", "layers.01.fc1",
                           "layers.-1.fc1", "layers.99999999999999999999.fc1", "", "layers."}) {
    EXPECT_FALSE(pattern.match(name)) << name;
  }
  EXPECT_FALSE(NamePattern("x").match(""));
  EXPECT_TRUE(NamePattern("").match(""));
}

TEST(NamePattern, OneLetterIsOneNumber) {
  const NamePattern pattern("a{i}b{i}");
  EXPECT_TRUE(pattern.match("a3b3"));
  EXPECT_FALSE(pattern.match("a3b4"));
}

TEST(NamePattern, EvenAndOddCallsOfOneModuleAreToldApart) {
  const NamePattern even("activation#{2k}"), odd("activation#{2k+1}");
  EXPECT_EQ(even.match("activation#6")->at('k'), 3);
  EXPECT_FALSE(even.match("activation#7"));
  EXPECT_EQ(odd.match("activation#7")->at('k'), 3);
  EXPECT_FALSE(odd.match("activation#0"));
  EXPECT_EQ(odd.name({{'k', 3}}), "activation#7");
}

}  // namespace
}  // namespace deformdiff
