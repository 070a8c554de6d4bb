// The vocabulary of judgement.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace deformdiff {

/// Worst first. Everything before kVacuous is a finding.
enum class Verdict : std::uint8_t {
  kCrashed,
  kDeviceError,
  kTimedOut,
  kThrew,
  kOverranBuffer,
  kModifiedInput,
  kUnwrittenOutput,
  kWrongStructure,
  kNonfiniteMismatch,
  kOutOfBound,
  kBrokenRelation,
  kNondeterministic,
  kVacuous,
  kUnsupported,
  kNotRun,
  kAgree,
};

/// "out_of_bound", ...
std::string_view name_of(Verdict verdict);
std::optional<Verdict> verdict_from_name(std::string_view name);
std::span<const Verdict> all_verdicts();

bool is_finding(Verdict verdict);

/// Number of the rule (oracles/README.md) that decides it: 1 returned, 2 structure, 3 memory, 4 non-finite,
/// 5 bound, 6 determinism, 7 vacuous, 8 relations; 0 for verdicts that no rule gives.
int rule_of(Verdict verdict);

}  // namespace deformdiff
