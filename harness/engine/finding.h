// A failure as it is reported.
#pragma once

#include "core/signature.h"
#include "core/tensor.h"
#include "engine/number_kinds.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// The element that a finding is about, in its saved case.
struct WrongElement {
  std::string output;  ///< or the stage to blame
  Shape shape;         ///< of that
  std::int64_t element = 0;
  double got = 0, wanted = 0, bound = 0;  ///< all 0 of one that was never written
  std::vector<std::int64_t> wrong;        ///< the first that have the verdict, in order; at most kListed
};

/// Cases of the run that are kept of a finding.
constexpr std::size_t kKeptCases = 8;

struct Finding {
  Signature signature;
  std::string group;  ///< one sentence on what findings of other signatures share; empty if none do
  std::optional<WrongElement> worst;  ///< nothing where no element is to blame
  std::string excused_by;  ///< declaration under which it is none; empty if the subject leaves none open
  bool left_out = false;   ///< excused_by leaves the case out, and what else it says is not settled yet
  int decade = 0;          ///< floor(log10(ratio)) of the saved case; 0 where there is no ratio
  std::int64_t count = 0;  ///< cases of the run that showed it; 0 if only shrinking met it
  std::uint64_t first_case = 0;
  std::vector<std::uint64_t> cases;              ///< the first that showed it; at most kKeptCases
  std::map<std::string, std::int64_t> triggers;  ///< of `count` cases, how many hit each trigger class
  std::filesystem::path case_path;
  std::string not_saved;  ///< why there is no file at case_path; empty if there is one
  std::int64_t original_elements = 0;
  std::int64_t shrunk_elements = 0;
  std::int64_t evaluations = 0;              ///< cases tried while shrinking
  std::int64_t certificate_evaluations = 0;  ///< cases tried to prove that no single step is left
  bool minimal = false;
  std::optional<FailingCase> smallest;  ///< the saved case if it is minimal and fails alone, every time
  std::string one_line;
  std::size_t earlier_calls = 0;  ///< calls before it that the finding depends on
  double reproduction_rate = 1;   ///< below 1 is flaky
  int reproduction_runs = 0;      ///< from which the rate is; 0 where it was not run again
  bool other_bits = false;        ///< runs of the case alone gave different bits
};

}  // namespace deformdiff
