#include "core/verdict.h"

#include <array>

namespace deformdiff {
namespace {

struct Row {
  Verdict verdict;
  std::string_view name;
  int rule;
};

constexpr std::array<Row, 16> kRows{{
    {Verdict::kCrashed, "crashed", 1},
    {Verdict::kDeviceError, "device_error", 1},
    {Verdict::kTimedOut, "timed_out", 1},
    {Verdict::kThrew, "threw", 1},
    {Verdict::kOverranBuffer, "overran_buffer", 3},
    {Verdict::kModifiedInput, "modified_input", 3},
    {Verdict::kUnwrittenOutput, "unwritten_output", 3},
    {Verdict::kWrongStructure, "wrong_structure", 2},
    {Verdict::kNonfiniteMismatch, "nonfinite_mismatch", 4},
    {Verdict::kOutOfBound, "out_of_bound", 5},
    {Verdict::kBrokenRelation, "broken_relation", 8},
    {Verdict::kNondeterministic, "nondeterministic", 6},
    {Verdict::kVacuous, "vacuous", 7},
    {Verdict::kUnsupported, "unsupported", 0},
    {Verdict::kNotRun, "not_run", 0},
    {Verdict::kAgree, "agree", 0},
}};

constexpr auto kAll = [] {
  std::array<Verdict, kRows.size()> all{};
  for (std::size_t i = 0; i < kRows.size(); ++i) all[i] = kRows[i].verdict;
  return all;
}();

const Row& row_of(Verdict verdict) {
  return kRows[static_cast<std::size_t>(verdict)];
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  return row_of(verdict).name;
}
int rule_of(Verdict verdict) {
  return row_of(verdict).rule;
}
bool is_finding(Verdict verdict) {
  return verdict < Verdict::kVacuous;
}
std::span<const Verdict> all_verdicts() {
  return kAll;
}

std::optional<Verdict> verdict_from_name(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.verdict;
  }
  return std::nullopt;
}

}  // namespace deformdiff
