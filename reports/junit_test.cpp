#include "reports/canary_test.h"
#include "reports/sample_run_test.h"

#include <pugixml.hpp>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

class JunitReport : public testing::Test {
 protected:
  void write(const RunReport& report) {
    const std::string text = junit_report(report);
    ASSERT_TRUE(document_.load_string(text.c_str())) << text;
  }

  pugi::xml_node suite(const char* name) const {
    return document_.child("testsuites").find_child_by_attribute("testsuite", "name", name);
  }
  pugi::xml_node test(const char* suite_name, const char* name) const {
    return suite(suite_name).find_child_by_attribute("testcase", "name", name);
  }

  pugi::xml_document document_;
};

TEST_F(JunitReport, IsATestCaseForEachBlockAndImplementation) {
  write(sample_run());
  const pugi::xml_node block = suite("ms_deform_attn");
  EXPECT_EQ(block.attribute("tests").as_int(), 3);
  EXPECT_EQ(block.attribute("failures").as_int(), 1);
  EXPECT_EQ(block.attribute("skipped").as_int(), 1);
  EXPECT_EQ(document_.child("testsuites").attribute("tests").as_int(), 3);
  const pugi::xml_node agrees = test("ms_deform_attn", "cpu");
  EXPECT_FALSE(agrees.child("failure"));
  EXPECT_FALSE(agrees.child("skipped"));
  EXPECT_NE(std::string(agrees.child_value("system-out")).find("10 vacuous: all zero"), std::string::npos);
}

TEST_F(JunitReport, AFailureHasItsLineAndTheCommandThatShowsIt) {
  write(sample_run());
  const pugi::xml_node failure = test("ms_deform_attn", "mine").child("failure");
  EXPECT_STREQ(failure.attribute("type").value(), "out_of_bound");
  EXPECT_EQ(failure.attribute("message").value(), operator_finding().one_line);
  EXPECT_NE(std::string(failure.child_value()).find("deformdiff replay out/findings/a.json"),
            std::string::npos);
}

TEST_F(JunitReport, FailuresWithoutAFindingFail) {
  RunReport report = sample_run();
  report.session.findings.clear();
  write(report);
  EXPECT_STREQ(test("ms_deform_attn", "mine").child("failure").attribute("message").value(),
               "3 failing cases");
}

TEST_F(JunitReport, WhatWasNotJudgedIsSkippedWithTheReason) {
  write(sample_run());
  EXPECT_STREQ(test("ms_deform_attn", "cuda").child("skipped").attribute("message").value(),
               "not_run: no CUDA device");
}

TEST_F(JunitReport, IsATestCaseForEachReplayedCase) {
  RunReport report = sample_run();
  report.replayed = {
      {"a.json", "ms_deform_attn", "cpu", Verdict::kAgree, "", "gone", 0.5},
      {"a.json", "ms_deform_attn", "mine", Verdict::kThrew, "what it said", "reproduces", 0.25},
      {"b.json", "ms_deform_attn", "mine", Verdict::kNotRun, "no device", "not judged", 0}};
  write(report);
  EXPECT_FALSE(suite("ms_deform_attn"));
  const pugi::xml_node replay = suite("replay");
  EXPECT_EQ(replay.attribute("tests").as_int(), 3);
  EXPECT_EQ(replay.attribute("failures").as_int(), 1);
  EXPECT_EQ(replay.attribute("skipped").as_int(), 1);
  EXPECT_STREQ(replay.attribute("time").value(), "0.750");
  const pugi::xml_node failure = replay.find_child([](pugi::xml_node each) { return each.child("failure"); });
  EXPECT_STREQ(failure.child("failure").attribute("message").value(), "what it said");
  EXPECT_STREQ(failure.child_value("failure"), "deformdiff replay a.json");
  EXPECT_STREQ(test("replay", "b.json").child("skipped").attribute("message").value(), "not_run: no device");
}

TEST_F(JunitReport, IsATestCaseForEachStage) {
  write(sample_check());
  EXPECT_EQ(suite("same_shape").attribute("failures").as_int(), 0);
  EXPECT_EQ(suite("transposed").attribute("tests").as_int(), 3);
  EXPECT_STREQ(test("transposed", "fc2").child("failure").attribute("message").value(),
               "fc2[0] = 1, wanted 2");
  EXPECT_STREQ(test("transposed", "fc2").child("failure").child_value(), "cause: wrong_stage");
  EXPECT_FALSE(test("transposed", "fc1").child("failure"));
}

TEST_F(JunitReport, ACanaryThatSurvivesFails) {
  RunReport report;
  report.session.canaries = {fault_canary("fault/a", true, 5), fault_canary("fault/b", false, 5)};
  write(report);
  EXPECT_EQ(suite("canaries.ms_deform_attn").attribute("failures").as_int(), 1);
  EXPECT_STREQ(test("canaries.ms_deform_attn", "fault/b").child("failure").attribute("message").value(),
               "agree in 5 cases, out_of_bound wanted");
}

TEST_F(JunitReport, HoldsWhateverAnImplementationSaid) {
  RunReport report = sample_run();
  report.session.findings[0].one_line = "mine: threw: <b>&\x01\xff\xef\xbf\xbf]]> \"";
  write(report);
  EXPECT_STREQ(test("ms_deform_attn", "mine").child("failure").attribute("message").value(),
               "mine: threw: <b>&?\x3f\x3f\x3f\x3f]]> \"");
}

}  // namespace
}  // namespace deformdiff
