#include "reports/canaries.h"

#include "reports/exit_code.h"
#include "reports/run_report.h"

#include <cmath>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace deformdiff {
namespace {

Canary canary(const std::string& name, const std::string& expected, std::int64_t cases, std::int64_t found) {
  Canary made;
  made.name = name;
  made.block = "ms_deform_attn";
  made.trigger = "channels_odd";
  made.expected = expected;
  made.enough = 5000;
  made.cases.add(0, static_cast<std::uint64_t>(cases));
  made.judged = cases;
  made.reached = cases / 10;
  made.found = found;
  if (found > 0) made.verdict = "out_of_bound";
  return made;
}

/// One implementation that agrees in 500 cases, one that is found wrong; everything is as it should be.
RunReport night() {
  RunReport report;
  report.command = "fuzz";
  SubjectReport right;
  right.name = "cpu";
  right.verdicts = {{Verdict::kAgree, 500}, {Verdict::kVacuous, 7}};
  report.session.subjects = {right};
  report.session.canaries = {canary("fault/a", "out_of_bound", 12, 1), canary("fault/b", "crashed", 0, 0),
                             canary("fault/c", "out_of_bound", 4999, 0),
                             canary("control/d", "agree", 400, 0)};
  return report;
}

TEST(UpperLimit, IsThatOfTheExactBinomial) {
  EXPECT_NEAR(upper_limit(0, 100), 1 - std::pow(0.05, 0.01), 1e-12);
  EXPECT_NEAR(upper_limit(0, 1000000), 3e-6, 1e-8);
  // 1 of 10: (1-p)^10 + 10 p (1-p)^9 = 0.05.
  const double p = upper_limit(1, 10);
  EXPECT_NEAR(std::pow(1 - p, 10) + 10 * p * std::pow(1 - p, 9), 0.05, 1e-9);
  EXPECT_EQ(upper_limit(0, 0), 1);
  EXPECT_EQ(upper_limit(3, 3), 1);
}

TEST(FalseAlarms, CountRightCodeAlone) {
  RunReport report = night();
  SubjectReport wrong;
  wrong.name = "wrong";
  wrong.verdicts = {{Verdict::kAgree, 1000}, {Verdict::kOutOfBound, 1}};
  report.session.subjects.push_back(wrong);
  const FalseAlarms none = false_alarms(report.session);
  EXPECT_EQ(none.cases, 900);
  EXPECT_EQ(none.alarms, 0);
  EXPECT_NEAR(none.limit, upper_limit(0, 900), 1e-15);
  report.session.canaries.push_back(canary("control/e", "agree", 100, 2));
  EXPECT_EQ(false_alarms(report.session).alarms, 2);
}

TEST(CanariesText, SaysWhatWasFoundByVerdict) {
  const std::string text = terminal_report(night());
  EXPECT_NE(text.find("\n"
                      "canaries, by verdict due       found  survived   not yet\n"
                      "crashed                            0         0         1\n"
                      "out_of_bound                       1         0         1\n"
                      "0 false alarms in 900 judged cases of right code: below 0.33 % with 95 %\n"
                      "confidence.\n"),
            std::string::npos)
      << text;
  RunReport none = night();
  none.session.canaries.clear();
  EXPECT_EQ(terminal_report(none).find("canaries"), std::string::npos);
}

TEST(ExitCode, OfANightWhoseCanariesSurviveIsOne) {
  RunReport green = night();
  EXPECT_EQ(decide_exit_code(green, {}), 0);
  EXPECT_TRUE(green.warnings.empty());
  RunReport red = night();
  red.session.canaries[2].cases.add(0, 5000);
  EXPECT_EQ(decide_exit_code(red, {}), 1);
  EXPECT_EQ(red.warnings, std::vector<std::string>{
                              "the canary fault/c of ms_deform_attn survived 5000 cases, 499 of which could "
                              "show it: the run may miss what is like it"});
}

TEST(ExitCode, OfANightThatBlamesRightCodeIsOne) {
  RunReport red = night();
  red.session.canaries[3] = canary("control/d", "agree", 400, 2);
  EXPECT_EQ(decide_exit_code(red, {}), 1);
  ASSERT_EQ(red.warnings.size(), 1U);
  EXPECT_EQ(red.warnings[0],
            "control/d of ms_deform_attn, which is right, was blamed in 2 of 400 cases (out_of_bound): what "
            "the run found may be false");
}

TEST(JsonReport, HasTheCanaries) {
  const auto json = nlohmann::json::parse(json_report(night()));
  EXPECT_EQ(json["canaries"].size(), 4U);
  EXPECT_EQ(json["canaries"][0]["name"], "fault/a");
  EXPECT_EQ(json["canaries"][0]["cases"], 12);
  EXPECT_EQ(json["canaries"][0]["got"], "out_of_bound");
  EXPECT_EQ(json["canaries"][0]["first_case"], 11);
  EXPECT_EQ(json["canaries"][2]["reached"], 499);
  EXPECT_EQ(json["canaries"][2]["survived"], false);
  EXPECT_EQ(json["detection_power"]["out_of_bound"],
            nlohmann::json::parse(R"({"found": 1, "survived": 0, "open": 1})"));
  EXPECT_EQ(json["false_alarms"]["cases"], 900);
  EXPECT_EQ(json["false_alarms"]["alarms"], 0);
  EXPECT_NEAR(json["false_alarms"]["limit_95"].get<double>(), 0.00332, 1e-5);
  RunReport none = night();
  none.session.canaries.clear();
  EXPECT_FALSE(nlohmann::json::parse(json_report(none)).contains("canaries"));
}

}  // namespace
}  // namespace deformdiff
