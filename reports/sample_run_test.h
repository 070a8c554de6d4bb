// A run as the tests of reports want it: two implementations of the operator, one of them wrong.
#pragma once

#include "core/case_file.h"
#include "reports/run_report.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace deformdiff {

/// The operator on one map of 3 x 2 pixels, 1 .. 6; one point, at column 0.25, row 1.5 in pixels, of weight
/// 0.5.
inline Case operator_case() {
  const std::vector<float> value{1, 2, 3, 4, 5, 6}, location{0.375F, 2.0F / 3}, weight{0.5F};
  const auto tensor = [](const Shape& shape, const std::vector<float>& values) {
    return Tensor::of<float>(DType::kFloat32, shape, std::span(values));
  };
  return {"ms_deform_attn",
          {{"im2col_step", 64}},
          {{"value", tensor({1, 6, 1, 1}, value)},
           {"spatial_shapes", int64_tensor({1, 2}, {3, 2})},
           {"level_start_index", int64_tensor({1}, {0})},
           {"sampling_loc", tensor({1, 1, 1, 1, 1, 2}, location)},
           {"attn_weight", tensor({1, 1, 1, 1, 1}, weight)}},
          {}};
}

inline WrongElement wrong_element() {
  return {"output", {1, 1, 1}, 0, 0.25, 2.125, 0.125, {0}};
}

inline Finding operator_finding() {
  Finding finding;
  finding.signature = {"ms_deform_attn", "mine", "out_of_bound", "output", "border"};
  finding.count = 3;
  finding.first_case = 4;
  finding.case_path = "out/findings/a.json";
  finding.original_elements = 500;
  finding.shrunk_elements = 13;
  finding.evaluations = 80;
  finding.minimal = true;
  finding.worst = wrong_element();
  finding.one_line = "mine: out_of_bound: output[0, 0, 0] = 0.25, wanted 2.125 +- 0.12 (ratio 15)";
  return finding;
}

inline RunReport sample_run() {
  RunReport report;
  report.command = "fuzz";
  report.exit_code = 1;
  SubjectReport cpu;
  cpu.name = "cpu";
  cpu.block = "ms_deform_attn";
  cpu.cases = 100;
  cpu.verdicts = {{Verdict::kAgree, 90}, {Verdict::kVacuous, 10}};
  cpu.not_judged = {{"vacuous: all zero", 10}};
  cpu.ratios.add(std::vector<float>{0.25F, 0.5F}, 0.5);
  SubjectReport mine = cpu;
  mine.name = "mine";
  mine.verdicts = {{Verdict::kAgree, 87}, {Verdict::kOutOfBound, 3}, {Verdict::kVacuous, 10}};
  mine.ratios.add(std::vector<float>{15}, 15);
  SubjectReport cuda = cpu;
  cuda.name = "cuda";
  cuda.verdicts = {{Verdict::kNotRun, 100}};
  cuda.not_judged = {{"not_run: no CUDA device", 100}};
  cuda.ratios = {};
  report.session.subjects = {cpu, mine, cuda};
  report.session.triggers = {{"border_exact", 12}};
  report.trigger_classes = {{"border_exact", "a location of 0"}, {"inf_value", "an infinity in value"}};
  report.session.findings = {operator_finding()};
  report.session.split = {1, 2, 3, 4, 5};
  return report;
}

/// The stages of two runs, of which the second goes wrong in its second stage.
inline RunReport sample_check() {
  RunReport report;
  report.command = "check";
  report.exit_code = 1;
  SubjectReport& model = report.session.subjects.emplace_back();
  model.name = "model.pt";
  model.block = "decoder_layer";
  model.cases = 2;
  model.verdicts = {{Verdict::kAgree, 1}, {Verdict::kOutOfBound, 1}};
  const auto stage = [](const char* run, const char* name, Verdict verdict, double ratio,
                        const char* reason) {
    return Scenario{run, name, verdict, false, ratio, 0.001, reason};
  };
  report.scenarios = {stage("same_shape", "fc1", Verdict::kAgree, 0.5, ""),
                      stage("same_shape", "outputs", Verdict::kAgree, 0.5, ""),
                      stage("transposed", "fc1", Verdict::kAgree, 0.25, ""),
                      stage("transposed", "fc2", Verdict::kOutOfBound, 1e4, "fc2[0] = 1, wanted 2"),
                      stage("transposed", "outputs", Verdict::kOutOfBound, 1e4, "fc2[0] = 1, wanted 2")};
  report.first_diverging_stage = "fc2";
  report.cause = "wrong_stage";
  report.advice = {"Look at fc2."};
  return report;
}

}  // namespace deformdiff
