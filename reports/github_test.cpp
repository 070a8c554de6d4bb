#include "reports/canary_test.h"
#include "reports/sample_run_test.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(GithubReport, AnnotatesEachFinding) {
  RunReport report = sample_run();
  report.warnings = {"cuda is required and was not run"};
  report.session.findings[0].signature.subject = "torchop:a,b";
  report.session.findings[0].one_line = "100 %:\nx";
  EXPECT_EQ(github_annotations(report),
            "::error file=out/findings/a.json,title=out_of_bound in torchop%3Aa%2Cb::100 %25:%0Ax"
            "%0Adeformdiff replay out/findings/a.json\n"
            "::warning::cuda is required and was not run\n");
}

TEST(GithubReport, OfACleanRunAnnotatesNothing) {
  RunReport report = sample_run();
  report.session.findings.clear();
  EXPECT_EQ(github_annotations(report), "");
}

TEST(GithubReport, IsASummary) {
  EXPECT_EQ(
      github_report(sample_run()),
      "## deformdiff fuzz\n\n"
      "1 failure found in 3 of 180 judged runs; 120 not judged.\n"
      "\n### Findings\n\n"
      "- mine: out\\_of\\_bound: output\\[0, 0, 0\\] = 0.25, wanted 2.125 +- 0.12 (ratio 15) (3 cases)\n"
      "\n  ```sh\n  deformdiff replay out/findings/a.json\n  ```\n"
      "\n| block | implementation | cases | agree | found | not judged | error/bound |\n"
      "|---|---|--:|--:|--:|--:|--:|\n"
      "| ms\\_deform\\_attn | cpu | 100 | 90 | 0 | 10 | 0.5 |\n"
      "| ms\\_deform\\_attn | mine | 100 | 87 | 3 | 10 | 15 |\n"
      "| ms\\_deform\\_attn | cuda | 100 | 0 | 0 | 100 | - |\n"
      "\n### Not judged\n\n"
      "- 100 not\\_run: no CUDA device (cuda)\n"
      "- 20 vacuous: all zero (cpu, mine)\n");
}

TEST(GithubReport, NamesTheStageTheCauseAndMissedCanaries) {
  RunReport report = sample_check();
  report.session.canaries = {fault_canary("fault/a", true, 5), fault_canary("fault/b", false, 5)};
  const std::string text = github_report(report);
  for (const char* const part : {"First diverging stage: **fc2**", "Cause: **wrong\\_stage**", "Look at fc2.",
                                 "- the canary fault/b of ms\\_deform\\_attn survived 5 cases"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_EQ(text.find("fault/a"), std::string::npos);
}

}  // namespace
}  // namespace deformdiff
