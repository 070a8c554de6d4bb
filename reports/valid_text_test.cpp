#include "reports/valid_text.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(ValidText, KeepsWhatIsValid) {
  for (const char* const text : {"", "plain\n\ttext", "\u00e9 \u20ac \U0001F600", "\xed\x9f\xbf",
                                 "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(valid_text(text), text);
  }
}

TEST(ValidText, MarksEachByteThatIsNot) {
  EXPECT_EQ(valid_text("a\x01z\r\x7f"), "a?z??");
  EXPECT_EQ(valid_text("\xff\xc3"), "??");
  EXPECT_EQ(valid_text("\xc0\x80"), "??");            // overlong
  EXPECT_EQ(valid_text("\xe0\x9f\xbf"), "???");       // overlong
  EXPECT_EQ(valid_text("\xed\xa0\x80"), "???");       // a surrogate
  EXPECT_EQ(valid_text("\xf4\x90\x80\x80"), "????");  // beyond Unicode
  EXPECT_EQ(valid_text("\xe2\x82"), "??");            // cut off
  EXPECT_EQ(valid_text(std::string_view("a\0b", 3)), "a?b");
}

}  // namespace
}  // namespace deformdiff
