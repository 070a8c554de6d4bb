#include "reports/colour.h"

#include "reports/sample_run_test.h"

#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(Colour, StandsAroundTheTextAndNotItsLineFeeds) {
  EXPECT_EQ(coloured("wrong\n", Colour::kBad, true), "\x1b[31mwrong\x1b[0m\n");
  EXPECT_EQ(coloured("wrong\n", Colour::kBad, false), "wrong\n");
  EXPECT_EQ(coloured("", Colour::kGood, true), "");
}

TEST(Colour, IsForTerminalsAndObeysNoColor) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_FALSE(wants_colour(ends[1]));
  ::close(ends[0]);
  ::close(ends[1]);

  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0) GTEST_SKIP() << "no pseudo-terminals here";
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  EXPECT_TRUE(wants_colour(terminal));
  ::setenv("TERM", "dumb", 1);
  EXPECT_FALSE(wants_colour(terminal));
  ::setenv("TERM", "xterm", 1);
  ::setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(wants_colour(terminal));
  ::unsetenv("NO_COLOR");
  ::close(terminal);
}

TEST(Colour, ATerminalsReportWithoutItIsTheSameText) {
  for (RunReport report : {sample_run(), sample_check()}) {
    const std::string plain = terminal_report(report);
    EXPECT_EQ(plain.find('\x1b'), std::string::npos);
    report.colour = true;
    std::string text = terminal_report(report);
    EXPECT_NE(text.find("\x1b[31m"), std::string::npos);
    for (std::size_t at = 0; (at = text.find('\x1b')) != std::string::npos;) {
      text.erase(at, text.find('m', at) + 1 - at);
    }
    EXPECT_EQ(text, plain);
  }
}

}  // namespace
}  // namespace deformdiff
