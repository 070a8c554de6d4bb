#include "reports/exit_code.h"
#include "reports/progress.h"
#include "reports/run_report.h"

#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace deformdiff {
namespace {

RunReport sample() {
  RunReport report;
  report.command = "fuzz";
  report.seed = 7;
  SubjectReport cpu;
  cpu.name = "cpu";
  cpu.block = "ms_deform_attn";
  cpu.cases = 100;
  cpu.verdicts = {{Verdict::kAgree, 90}, {Verdict::kVacuous, 10}};
  cpu.not_judged = {{"vacuous: all zero", 10}};
  cpu.workers = 3;
  cpu.ratios.add(std::vector<float>{0.25F, 0.5F}, 0.5);
  SubjectReport cuda;
  cuda.name = "cuda";
  cuda.block = "ms_deform_attn";
  cuda.cases = 100;
  cuda.verdicts = {{Verdict::kNotRun, 100}};
  cuda.not_judged = {{"not_run: no CUDA device", 100}};
  report.session.subjects = {cpu, cuda};
  report.session.triggers = {{"border_exact", 12}};
  return report;
}

RunReport with_finding() {
  RunReport report = sample();
  report.session.subjects[0].verdicts[Verdict::kOutOfBound] = 3;
  report.session.subjects[0].verdicts[Verdict::kAgree] = 87;
  report.session.subjects[0].first_finding_case = 4;
  Finding finding;
  finding.signature = {"ms_deform_attn", "cpu", "out_of_bound", "output", "border"};
  finding.decade = 2;
  finding.count = 3;
  finding.first_case = 4;
  finding.case_path = "out/findings/a.json";
  finding.original_elements = 500;
  finding.shrunk_elements = 7;
  finding.evaluations = 80;
  finding.minimal = true;
  finding.one_line = "cpu: out_of_bound: output[0] = 1, wanted 2";
  report.session.findings = {finding};
  return report;
}

TEST(TerminalReport, NothingFound) {
  EXPECT_EQ(terminal_report(sample()),
            "subject     cases    agree    found not judged  max error/bound\n"
            "cpu           100       90        0         10  0.5\n"
            "cuda          100        0        0        100  -\n"
            "\n"
            "Not judged:\n"
            "  not_run: no CUDA device (cuda 100)\n"
            "  vacuous: all zero (cpu 10)\n"
            "\n"
            "Nothing found: 1 implementation agree in 90 runs; 110 not judged.\n");
}

TEST(TerminalReport, AFindingComesWithItsReplay) {
  const std::string text = terminal_report(with_finding());
  EXPECT_NE(text.find("\ncpu: out_of_bound: output[0] = 1, wanted 2 (3 cases)\n"
                      "  shrunk from 500 to 7 elements in 80 evaluations; no single step is left\n"
                      "  deformdiff replay out/findings/a.json\n"
                      "\n"
                      "1 failure found in 3 of 90 judged runs; 110 not judged.\n"),
            std::string::npos)
      << text;
}

TEST(TerminalReport, SaysWhichCasesWereDrawn) {
  RunReport report = sample();
  EXPECT_EQ(terminal_report(report).find("--only"), std::string::npos);
  EXPECT_FALSE(nlohmann::json::parse(json_report(report)).contains("only"));
  report.only = "M==8,D<=32";
  EXPECT_TRUE(terminal_report(report).ends_with("--only 'M==8,D<=32' --seed 7\n")) << terminal_report(report);
  EXPECT_EQ(nlohmann::json::parse(json_report(report))["only"], "M==8,D<=32");
}

TEST(JsonReport, HasEveryPromisedField) {
  RunReport report = with_finding();
  report.exit_code = 1;
  const auto json = nlohmann::json::parse(json_report(report));
  EXPECT_EQ(json["deformdiff"], DEFORMDIFF_VERSION);
  EXPECT_EQ(json["command"], "fuzz");
  EXPECT_EQ(json["seed"], 7);
  EXPECT_EQ(json["exit_code"], 1);
  EXPECT_TRUE(json["environment"].is_object());
  EXPECT_TRUE(json["seconds"].is_number());
  const auto& cpu = json["subjects"][0];
  EXPECT_EQ(cpu["name"], "cpu");
  EXPECT_EQ(cpu["block"], "ms_deform_attn");
  EXPECT_EQ(cpu["cases"], 100);
  EXPECT_EQ(cpu["verdicts"], nlohmann::json::parse(R"({"agree": 87, "out_of_bound": 3, "vacuous": 10})"));
  EXPECT_EQ(cpu["not_judged"]["vacuous: all zero"], 10);
  EXPECT_EQ(cpu["estimated"], 0);
  EXPECT_EQ(cpu["ratio"]["max"], 0.5);
  EXPECT_EQ(cpu["first_finding_case"], 4);
  EXPECT_EQ(cpu["workers"], 3);
  EXPECT_FALSE(json["subjects"][1].contains("first_finding_case"));
  EXPECT_FALSE(json["subjects"][1].contains("workers"));
  EXPECT_EQ(json["subjects"][1]["verdicts"], nlohmann::json::parse(R"({"not_run": 100})"));
  EXPECT_EQ(json["triggers"]["border_exact"], 12);
  const auto& finding = json["findings"][0];
  EXPECT_EQ(finding["signature"], nlohmann::json::parse(R"({"block": "ms_deform_attn", "subject": "cpu",
      "rule": "out_of_bound", "output": "output", "class": "border"})"));
  EXPECT_EQ(finding["decade"], 2);
  EXPECT_EQ(finding["count"], 3);
  EXPECT_EQ(finding["case"], "out/findings/a.json");
  EXPECT_EQ(finding["original_elements"], 500);
  EXPECT_EQ(finding["shrunk_elements"], 7);
  EXPECT_EQ(finding["evaluations"], 80);
  EXPECT_EQ(finding["minimal"], true);
  EXPECT_EQ(finding["one_line"], "cpu: out_of_bound: output[0] = 1, wanted 2");
}

TEST(TerminalReport, WhatADeclarationExcusesIsListedApart) {
  RunReport report = with_finding();
  Finding excused = report.session.findings[0];
  excused.excused_by = "level_start_index=ignored";
  excused.case_path = "out/findings/b.json";
  report.session.findings.insert(report.session.findings.begin(), excused);
  const std::string text = terminal_report(report);
  const std::size_t heading = text.find("\nNo failure under another declaration:\n");
  ASSERT_NE(heading, std::string::npos);
  EXPECT_LT(text.find("out/findings/a.json"), heading);
  EXPECT_GT(text.find("  no failure with level_start_index=ignored: declare it if that is meant\n"
                      "  deformdiff replay out/findings/b.json\n"),
            heading);
  const auto json = nlohmann::json::parse(json_report(report));
  EXPECT_EQ(json["findings"][0]["excused_by"], "level_start_index=ignored");
  EXPECT_EQ(json["findings"][1]["excused_by"], "");
  EXPECT_EQ(json["findings"][1]["reproduction_rate"], 1);
  EXPECT_EQ(json["findings"][1]["other_bits"], false);
}

TEST(JsonReport, InfiniteRatiosStayNumbers) {
  RunReport report = sample();
  const float infinity = std::numeric_limits<float>::infinity();
  report.session.subjects[0].ratios.add(std::vector<float>{infinity}, infinity);
  EXPECT_TRUE(nlohmann::json::parse(json_report(report))["subjects"][0]["ratio"]["max"].is_number());
}

TEST(ExitCode, FollowsFindingsAgreementAndRequirements) {
  RunReport nothing_found = sample();
  EXPECT_EQ(decide_exit_code(nothing_found, {}), 0);
  EXPECT_EQ(decide_exit_code(nothing_found, {"cpu"}), 0);
  EXPECT_TRUE(nothing_found.warnings.empty());
  EXPECT_EQ(decide_exit_code(nothing_found, {"cuda"}), 1);
  EXPECT_EQ(nothing_found.warnings, std::vector<std::string>{"cuda is required and was not run"});
  RunReport absent = sample();
  EXPECT_EQ(decide_exit_code(absent, {"composite"}), 1);
  RunReport found = with_finding();
  EXPECT_EQ(decide_exit_code(found, {}), 1);
  RunReport unjudged = sample();
  unjudged.session.subjects.erase(unjudged.session.subjects.begin());
  EXPECT_EQ(decide_exit_code(unjudged, {}), 4);
  unjudged.session.subjects[0].verdicts = {{Verdict::kVacuous, 1}};
  EXPECT_EQ(decide_exit_code(unjudged, {}), 4);
  unjudged.command = "replay";
  EXPECT_EQ(decide_exit_code(unjudged, {}), 4);
}

TEST(Progress, IsOneLine) {
  EXPECT_EQ(progress_text({120, 500, 1, 12.4, "fuzzing cpu"}, 79),
            "120/500 cases, 12 s, 1 failure: fuzzing cpu");
  EXPECT_EQ(progress_text({120, 500, 0, 12.4, "fuzzing cpu"}, 20).size(), 20U);
}

}  // namespace
}  // namespace deformdiff
