#include "reports/canary_test.h"
#include "reports/exit_code.h"
#include "reports/narrow_support.h"
#include "reports/progress.h"
#include "reports/run_report.h"

#include <algorithm>
#include <limits>
#include <sstream>

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

/// Implementations of two blocks, as a run over several has them.
RunReport several_blocks() {
  RunReport report = sample();
  for (const char* const name : {"traced/op", "traced/op/frozen"}) {
    SubjectReport traced = report.session.subjects[0];
    traced.name = name;
    traced.verdicts = {{Verdict::kAgree, 100}};
    traced.not_judged = {};
    report.session.subjects.push_back(traced);
  }
  const std::vector<SubjectReport> first = report.session.subjects;
  for (SubjectReport subject : first) {
    subject.block = "encoder_layer";
    subject.cases = 8;
    subject.not_judged = {};
    subject.verdicts = {{Verdict::kAgree, 8}};
    if (subject.name == "cuda") {
      subject.verdicts = {{Verdict::kNotRun, 8}};
      subject.not_judged = {{"not_run: no CUDA device", 8}};
    }
    report.session.subjects.push_back(subject);
  }
  return report;
}

std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return longest;
}

TEST(TerminalReport, NothingFound) {
  EXPECT_EQ(terminal_report(sample()),
            "subject   cases   agree  found not judged  error/bound\n"
            "cpu         100      90      0         10  0.5\n"
            "cuda        100       0      0        100  -\n"
            "\n"
            "Not judged:\n"
            "  100 not_run: no CUDA device (cuda)\n"
            "   10 vacuous: all zero (cpu)\n"
            "\n"
            "Nothing found: 1 implementation agrees in 90 runs; 110 not judged.\n");
}

TEST(TerminalReport, SaysWhatWasRunAgain) {
  RunReport report = sample();
  SubjectReport& cpu = report.session.subjects[0];
  cpu.retries = {{12, "killed by SIGTERM (Terminated)", Verdict::kAgree}};
  EXPECT_NE(terminal_report(report).find(
                "\nWarning: cpu: on case 12 of ms_deform_attn its worker was killed by SIGTERM\n"
                "  (Terminated), and another ran it again: agree.\nNothing found"),
            std::string::npos)
      << terminal_report(report);
  cpu.retries.push_back({40, "left with exit code 3 on loading", Verdict::kOutOfBound});
  cpu.retries.push_back({41, "stopped by SIGSTOP (Stopped (signal))", Verdict::kAgree});
  EXPECT_NE(terminal_report(report).find("on case 12, and 2 more, of ms_deform_attn its"), std::string::npos);
  EXPECT_NE(terminal_report(report).find("another ran them again: 1 out_of_bound, 2 agree."),
            std::string::npos)
      << terminal_report(report);
  const auto json = nlohmann::json::parse(json_report(report));
  EXPECT_EQ(json["subjects"][0]["retried"].size(), 3U);
  EXPECT_EQ(json["subjects"][0]["retried"][1],
            nlohmann::json::parse(
                R"({"case": 40, "after": "left with exit code 3 on loading", "verdict": "out_of_bound"})"));
  EXPECT_EQ(json["subjects"][1]["retried"].size(), 0U);
}

TEST(TerminalReport, NamesTriggerClassesThatWereNotReached) {
  RunReport report = sample();
  report.trigger_classes = {{"border_exact", ""}, {"subnormal", ""}, {"inf_value", ""}};
  EXPECT_NE(terminal_report(report).find("\nNever reached: 2 of 3 trigger classes: subnormal, inf_value\n"),
            std::string::npos)
      << terminal_report(report);
  for (int i = 0; i < 60; ++i) report.trigger_classes.push_back({"class_of_number_" + std::to_string(i), ""});
  const std::string text = terminal_report(report);
  EXPECT_NE(text.find("class_of_number_0"), std::string::npos) << text;
  EXPECT_NE(text.find(" more\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("class_of_number_9,"), std::string::npos) << text;
  EXPECT_LE(longest_line(text), 80U);
}

TEST(TerminalReport, FindingsAndAdviceAreOfEightyColumns) {
  RunReport report = with_finding();
  report.session.findings[0].case_path = "a.json";
  report.session.findings[0].one_line +=
      std::string(" and more of it in words") + std::string(40, 'x') + " and still more, until it is long";
  report.session.findings[0].group =
      "What these have in common takes more than one line, too: points beyond a "
      "border, in maps of one pixel";
  report.cause = "wrong_stage";
  report.advice = {
      "It is advice that takes more than a line to give, since it says what to do and why, in words."};
  const std::string text = terminal_report(report);
  EXPECT_LE(longest_line(text), 80U) << text;
  EXPECT_NE(text.find("\nWhat these have in common"), std::string::npos) << text;
}

TEST(TerminalReport, SeveralBlocksAreAMatrix) {
  EXPECT_EQ(terminal_report(several_blocks()),
            "                   a   b  worst\n"
            "cases            100   8\n"
            "cpu            90/90 8/8  0.5\n"
            "cuda               -   -  -\n"
            "traced/op +1 100/100 8/8  0.5\n"
            "Agreed/judged cases; -: nothing could be judged; worst: largest error / bound.\n"
            "+N: and N variants alike.\n"
            "a=ms_deform_attn, b=encoder_layer\n"
            "\n"
            "Not judged:\n"
            "  108 not_run: no CUDA device (cuda)\n"
            "   10 vacuous: all zero (cpu)\n"
            "\n"
            "Nothing found: 3 implementations agree in 314 runs; 118 not judged.\n");
}

TEST(TerminalReport, VerboseAddsATableOfEachBlock) {
  RunReport report = several_blocks();
  report.verbose = true;
  const std::string text = terminal_report(report);
  EXPECT_NE(text.find("\nencoder_layer\ncpu                    8       8      0          0  0.5\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("worst"), std::string::npos);
}

TEST(TerminalReport, VariantsThatDifferHaveRowsOfTheirOwn) {
  RunReport report = several_blocks();
  report.session.subjects.back().verdicts = {{Verdict::kAgree, 7}, {Verdict::kOutOfBound, 1}};
  const std::string text = terminal_report(report);
  EXPECT_NE(text.find("traced/op        100/100 8/8  0.5\n"
                      "traced/op/frozen 100/100 7/8  0.5\n"),
            std::string::npos)
      << text;
}

TEST(TerminalReport, TablesAreOfEightyColumns) {
  RunReport report = several_blocks();
  const std::string address =
      "torchop:/home/someone/projects/kernels/build/release/libmine.so#mine::ms_deform_attn?dtypes=float32&"
      "supports=M==8,D==32,L==3,P==4";
  report.session.subjects[0].name = address;
  report.session.subjects[0].not_judged = {{"unsupported: " + std::string(20, 'x') + " of many words " +
                                                std::string(20, 'y') + " and more of them " +
                                                std::string(20, 'z'),
                                            10}};
  for (int i = 0; i < 24; ++i) {
    SubjectReport subject = report.session.subjects.back();
    subject.block = "block_" + std::to_string(i);
    report.session.subjects.push_back(subject);
  }
  for (const bool verbose : {false, true}) {
    report.verbose = verbose;
    std::string text = terminal_report(report);
    // The legend has the address as it was typed, and it only; what else names it says it whole.
    const std::string legend = "[1] " + address + "\n";
    ASSERT_NE(text.find(legend), std::string::npos) << text;
    EXPECT_NE(text.find("\nlibmine.so#mine"), std::string::npos) << text;
    for (std::size_t at = text.find(address); at != std::string::npos; at = text.find(address)) {
      text.erase(at, address.size());
    }
    EXPECT_LE(longest_line(text), 80U) << text;
  }
}

TEST(TerminalReport, ScenariosAreOfEightyColumns) {
  RunReport report;
  report.command = "check";
  const std::string stage = "pixel_decoder.encoder.layers.0.self_attn.output_proj";
  report.scenarios = {
      {"other_values", stage, Verdict::kAgree, false, 0.5, 1e-7, ""},
      {"a_scenario_with_a_name_that_is_long", stage, Verdict::kNonfiniteMismatch, false, 434, 1e-3,
       stage + "[0, 5, 17] = -2.6442392, wanted -2.64159806 +- 6.1e-06 (ratio 4.3e+02)"}};
  const std::string text = terminal_report(report);
  EXPECT_LE(longest_line(text), 80U) << text;
  EXPECT_NE(text.find("\n    " + stage + " (inherited error 0.001)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("output_proj\n"), std::string::npos) << text;
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

TEST(TerminalReport, FindingsOfOneGroupStandTogetherUnderItsSentence) {
  RunReport report = with_finding();
  Finding other = report.session.findings[0];
  other.one_line = "cpu: crashed: signal 11";
  Finding third = report.session.findings[0];
  third.one_line = "cpu: threw: no";
  report.session.findings.insert(report.session.findings.end(), {other, third});
  report.session.findings[0].group = report.session.findings[2].group = "Both vanish with one level.";
  const std::string text = terminal_report(report);
  const auto sentence = text.find("\nBoth vanish with one level.\n\ncpu: out_of_bound");
  const auto mate = text.find("cpu: threw");
  ASSERT_NE(sentence, std::string::npos) << text;
  EXPECT_LT(sentence, mate);
  EXPECT_LT(mate, text.find("cpu: crashed"));
  EXPECT_NE(text.find("\n3 failures of 2 causes found in 3 of"), std::string::npos) << text;

  // The same words of another implementation are about another cause.
  report.session.findings[2].signature.subject = "mine";
  EXPECT_NE(terminal_report(report).find("\n3 failures found in 3 of"), std::string::npos);

  // What one declaration excuses is of one cause too.
  for (Finding& finding : report.session.findings) {
    finding.group.clear();
    finding.signature.subject = "mine";
    finding.excused_by = "level_start_index=ignored";
  }
  EXPECT_NE(terminal_report(report).find("\n3 failures of 1 cause found in 3 of"), std::string::npos);
}

TEST(TerminalReport, SaysWhichCasesWereDrawn) {
  RunReport report = sample();
  EXPECT_EQ(terminal_report(report).find("--only"), std::string::npos);
  EXPECT_FALSE(nlohmann::json::parse(json_report(report)).contains("only"));
  report.only = "M==8,D<=32";
  EXPECT_TRUE(terminal_report(report).ends_with("--only 'M==8,D<=32' --seed 7\n")) << terminal_report(report);
  EXPECT_EQ(nlohmann::json::parse(json_report(report))["only"], "M==8,D<=32");
}

TEST(TerminalReport, AFindingOfNoCaseSaysWhereItWasMet) {
  RunReport report = with_finding();
  report.session.findings[0].count = 0;
  const std::string text = terminal_report(report);
  EXPECT_NE(text.find("wanted 2 (met while another was shrunk"), std::string::npos) << text;
  EXPECT_EQ(text.find("0 cases"), std::string::npos) << text;
}

TEST(TerminalReport, AFindingThatWasNotSavedHasNoReplay) {
  RunReport report = with_finding();
  report.session.findings[0].not_saved = "a.json: cannot be written: No space left on device";
  const std::string text = terminal_report(report);
  EXPECT_NE(text.find("  not saved: a.json: cannot be written: No space left on device\n"),
            std::string::npos);
  EXPECT_EQ(text.find("deformdiff replay"), std::string::npos) << text;
}

TEST(TerminalReport, SaysWhatGuidedCasesCameTo) {
  RunReport report = sample();
  EXPECT_EQ(terminal_report(report).find("Guided"), std::string::npos);
  EXPECT_FALSE(nlohmann::json::parse(json_report(report)).contains("guided"));
  report.session.guided = {{"ms_deform_attn", 640, 600, 2, 31, 4, 18.2}};
  const std::string text = terminal_report(report);
  EXPECT_NE(text.find("\nGuided, beside the stream:\n"
                      "  ms_deform_attn: 640 cases in 18 s, 2 failed in 600 judged runs; 31 pairs of\n"
                      "    trigger classes first hit by them\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(nlohmann::json::parse(json_report(report))["guided"], nlohmann::json::parse(R"([{
      "block": "ms_deform_attn", "cases": 640, "judged": 600, "found": 2, "pairs": 31, "climbs": 4,
      "seconds": 18.2}])"));
}

TEST(NarrowSupport, IsAWarningBelowATenth) {
  RunReport report = sample();
  SubjectReport& mine = report.session.subjects[0];
  mine.info.blocks = {"ms_deform_attn"};
  mine.info.supports = "M==8,D==32";
  mine.verdicts = {{Verdict::kAgree, 10}, {Verdict::kUnsupported, 90}};
  warn_of_narrow_support(report);
  EXPECT_TRUE(report.warnings.empty());
  mine.verdicts = {{Verdict::kAgree, 9}, {Verdict::kUnsupported, 91}};
  warn_of_narrow_support(report);
  EXPECT_EQ(report.warnings, std::vector<std::string>{"cpu was judged in 9 of 100 cases of ms_deform_attn: "
                                                      "--only 'M==8,D==32' draws cases that it supports"});
  report.warnings.clear();
  mine.verdicts = {{Verdict::kVacuous, 100}};
  warn_of_narrow_support(report);
  EXPECT_TRUE(report.warnings.empty());
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

TEST(TerminalReport, SaysWhichNumbersAFindingNeeds) {
  RunReport report = with_finding();
  EXPECT_EQ(terminal_report(report).find("among the inputs"), std::string::npos);
  Finding& finding = report.session.findings[0];
  finding.smallest = FailingCase{{}, {NumberKind::kInfinity}};
  EXPECT_NE(terminal_report(report).find("\n  only with infinities among the inputs\n"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(json_report(report))["findings"][0]["needs"], "infinities");
  finding.smallest->needs.clear();
  EXPECT_EQ(terminal_report(report).find("among the inputs"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(json_report(report))["findings"][0]["needs"], "ordinary numbers");
}

TEST(JsonReport, InfiniteRatiosStayNumbers) {
  RunReport report = sample();
  const float infinity = std::numeric_limits<float>::infinity();
  report.session.subjects[0].ratios.add(std::vector<float>{infinity}, infinity);
  EXPECT_TRUE(nlohmann::json::parse(json_report(report))["subjects"][0]["ratio"]["max"].is_number());
}

TEST(ExitCode, IsOfWhatIsNotKnown) {
  RunReport report = with_finding();
  Finding& finding = report.session.findings.front();
  std::int64_t cases = 0;
  for (const SubjectReport& subject : report.session.subjects) cases += tally_of(subject).found;
  ASSERT_GT(cases, 0);
  finding.count = cases;
  finding.status = FindingStatus::kKnown;
  EXPECT_EQ(decide_exit_code(report, {}), 0);
  report.known_fail = true;
  EXPECT_EQ(decide_exit_code(report, {}), 1);
  report.known_fail = false;
  finding.status = FindingStatus::kRegression;
  EXPECT_EQ(decide_exit_code(report, {}), 1);
  finding.status = FindingStatus::kKnown;
  finding.count = cases - 1;
  EXPECT_EQ(decide_exit_code(report, {}), 1) << "a case failed of which nothing is known";
}

TEST(TerminalReport, SaysWhatIsKnownAndWhatWasFixed) {
  RunReport report = with_finding();
  EXPECT_EQ(terminal_report(report).find("known"), std::string::npos);
  report.session.findings.push_back(report.session.findings.front());
  report.session.findings.push_back(report.session.findings.front());
  report.session.findings[0].status = FindingStatus::kKnown;
  report.session.findings[0].kept_case = "cases/b/open/x.json";
  report.session.findings[1].status = FindingStatus::kRegression;
  report.session.findings[1].kept_case = "cases/b/regression/y.json";
  const std::string text = terminal_report(report);
  EXPECT_NE(text.find("  a regression: this was fixed: cases/b/regression/y.json\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("\nKnown:\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  known: cases/b/open/x.json\n"), std::string::npos) << text;
  EXPECT_GT(text.find("\nKnown:\n"), text.find("a regression")) << text;
  EXPECT_NE(text.find("Of these 1 new, 1 known, 1 regression.\n"), std::string::npos) << text;
}

TEST(JsonReport, SaysWhatIsKnownAndWhatWasFixed) {
  RunReport report = with_finding();
  nlohmann::json json = nlohmann::json::parse(json_report(report));
  EXPECT_EQ(json["findings"][0]["status"], "new");
  EXPECT_FALSE(json["findings"][0].contains("kept_case"));
  report.session.findings[0].status = FindingStatus::kRegression;
  report.session.findings[0].kept_case = "cases/b/regression/y.json";
  json = nlohmann::json::parse(json_report(report));
  EXPECT_EQ(json["findings"][0]["status"], "regression");
  EXPECT_EQ(json["findings"][0]["kept_case"], "cases/b/regression/y.json");
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

const RunPlan kPlan{{{"ms_deform_attn", 100, 1}, {"pixel_decoder_encoder", 8, 50}}, {}};

TEST(Progress, SaysWhatIsDoneAndWhatIsLeftOfTheWholeRun) {
  RunState state;
  state.seconds = 2.4;
  EXPECT_EQ(progress_text(kPlan, state, 79), "[1/2] ms_deform_attn: 0 of 100 cases, none judged; 0:02");
  state.here = {50, 0, 10, "fuzzing cpu", 50};
  state.seconds = 10;
  EXPECT_EQ(progress_text(kPlan, state, 99),
            "[1/2] ms_deform_attn: 50 of 100 cases, 5/s, all agree; 0:10, 1:30 left; fuzzing cpu");
  EXPECT_EQ(progress_text(kPlan, state, 20).size(), 20U);
  state.here.activity = "confirming cpu";
  EXPECT_NE(progress_text(kPlan, state, 99).find("a failure to confirm"), std::string::npos);
  state = {1, {4, 2, 8, "shrinking cpu", 4}, 1, 75};
  EXPECT_EQ(progress_text(kPlan, state, 99),
            "[2/2] pixel_decoder_encoder: 4 of 8 cases, 0.5/s, 3 failures; 1:15, 0:50 left; shrinking cpu");
}

TEST(Progress, SaysHowManyCanariesAreFoundAndWhatIsUnreached) {
  RunState state;
  state.here = {50, 0, 10, "fuzzing cpu", 50};
  state.here.canaries = 66;
  state.here.canaries_found = 20;
  state.here.never_reached = 7;
  state.seconds = 10;
  EXPECT_EQ(progress_text(kPlan, state, 130),
            "[1/2] ms_deform_attn: 50 of 100 cases, 5/s, all agree; 0:10, 1:30 left; 20 of 66 canaries; "
            "7 classes unreached; fuzzing cpu");
}

TEST(Progress, OfATimedRunIsTheTime) {
  RunPlan plan{{{"ms_deform_attn", 1000000, 1}}, 28800};
  EXPECT_EQ(progress_text(plan, {0, {500, 0, 100, "", 490}, 0, 3600}, 79),
            "ms_deform_attn: 500 cases, 5/s, all agree; 1:00:00 of 8:00:00, 7:00:00 left");
}

TEST(JsonReport, AFindingHasItsWrongElement) {
  RunReport report = with_finding();
  report.session.findings[0].worst =
      WrongElement{"output", {2, 3}, 4, std::numeric_limits<double>::quiet_NaN(), 2, 0.5, {4, 5}};
  report.session.findings[0].group = "one point";
  const auto json = nlohmann::json::parse(json_report(report));
  const auto wanted = nlohmann::json::parse(
      R"({"output": "output", "shape": [2, 3], "element": 4, "got": "nan", "wanted": 2.0, "bound": 0.5})");
  EXPECT_EQ(json["findings"][0]["worst"], wanted);
  EXPECT_EQ(json["findings"][0]["group"], "one point");
  EXPECT_FALSE(nlohmann::json::parse(json_report(with_finding()))["findings"][0].contains("worst"));
}

TEST(JsonReport, SaysWhatWasNotReachedReplayedAndOfCanaries) {
  RunReport report = sample();
  report.trigger_classes = {{"border_exact", ""}, {"subnormal", ""}};
  EXPECT_EQ(nlohmann::json::parse(json_report(report))["never_reached"], nlohmann::json({"subnormal"}));
  report.command = "replay";
  report.replayed = {{"a.json", "ms_deform_attn", "cpu", Verdict::kThrew, "why", "reproduces", 0.5}};
  report.session.canaries = {fault_canary("fault/b", false, 5)};
  const auto json = nlohmann::json::parse(json_report(report));
  EXPECT_FALSE(json.contains("never_reached"));
  EXPECT_EQ(json["replayed"][0]["verdict"], "threw");
  EXPECT_EQ(json["replayed"][0]["reason"], "why");
  EXPECT_EQ(json["canaries"][0]["as_expected"], false);
  EXPECT_FALSE(json["canaries"][0].contains("first_case"));
}

}  // namespace
}  // namespace deformdiff
