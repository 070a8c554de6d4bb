// Saved cases: one JSON file a case, readable in a diff, with a byte-exact round trip.
// Large tensors lie in a safetensors file beside it, named and hashed (SHA-256) in the JSON. The format is
// described in cases/README.md.
#pragma once

#include "core/case.h"
#include "core/signature.h"
#include "core/verdict.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// How often a failure was seen when its case was run again.
struct Reproduction {
  std::int64_t seen = 0;
  std::int64_t runs = 0;
  double rate() const { return runs > 0 ? static_cast<double>(seen) / static_cast<double>(runs) : 0; }
  friend bool operator==(const Reproduction&, const Reproduction&) = default;
};

struct SavedCase {
  Case problem;
  /// Made first, in order, in the same process: the finding depends on them.
  std::vector<Case> earlier_calls;
  std::string expectation;     ///< "agree" (smoke, regression), or the verdict of an open finding
  std::string subject;         ///< address from any folder; empty in smoke cases: every built-in one
  std::string subject_sha256;  ///< of the library, model or recording behind it; empty if there is none
  std::optional<Signature> signature;
  std::optional<Reproduction> reproduction;  ///< of a failure that is not seen each time
  std::string note;                          ///< one line for people

  /// The case has failed once, and so has shown that it can tell right from wrong.
  bool holds_a_failure() const { return signature || expectation != name_of(Verdict::kAgree); }
};

/// Throws InputError with file, line or field, and reason. Refuses unknown fields, missing companions and
/// wrong hashes; never substitutes. Any bytes whatever are safe to give.
SavedCase read_case(const std::filesystem::path& path);

/// The same from text; companions are looked for in `folder`.
SavedCase parse_case(std::string_view text, const std::string& file_name,
                     const std::filesystem::path& folder);

/// Tensors with more elements of storage than this go to the companion file.
constexpr std::int64_t kInlineElements = 4096;

/// Writes `path` atomically. A companion, NAME.HASH.safetensors, is written before it under a name that no
/// other content has, and companions of the file's earlier content are removed after it: at every moment the
/// file on disk reads back whole. Throws InputError where it cannot be written.
void write_case(const std::filesystem::path& path, const SavedCase& saved);

}  // namespace deformdiff
