#include "core/conditions.h"

#include "core/error.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

const std::map<std::string, std::int64_t> kSizes{{"N", 2}, {"S", 100}, {"M", 8}, {"D", 32},
                                                 {"Q", 7}, {"L", 4},   {"P", 4}};

TEST(Conditions, NamesTheFirstThatDoesNotHold) {
  EXPECT_EQ(first_violated("", kSizes), "");
  EXPECT_EQ(first_violated("D%8==0,L<=4", kSizes), "");
  EXPECT_EQ(first_violated("D%8==0,L<=3,Q==0", kSizes), "L<=3");
  EXPECT_EQ(first_violated(" D % 5 == 0 ", kSizes), " D % 5 == 0 ");
}

TEST(Conditions, EveryOperator) {
  for (const char* holds : {"N==2", "N!=3", "N<3", "N<=2", "N>1", "N>=2", "Q%2!=0", "N>-1"}) {
    EXPECT_EQ(first_violated(holds, kSizes), "") << holds;
  }
  for (const char* fails : {"N==3", "N!=2", "N<2", "N<=1", "N>2", "N>=3", "Q%2==0"}) {
    EXPECT_EQ(first_violated(fails, kSizes), fails);
  }
}

TEST(Conditions, RefusesAnythingElse) {
  for (const char* bad : {"D", "D=8", "D%8", "D%0==0", "D%-8==0", "X==1", "==1", "D==", "D==8 L==4", "D==8,",
                          ",D==8", "L==9,D", "D==99999999999999999999", "D==8;L==4"}) {
    EXPECT_THROW(first_violated(bad, kSizes), InputError) << bad;
    EXPECT_THROW(check_conditions(bad), InputError) << bad;
  }
}

}  // namespace
}  // namespace deformdiff
