// Whether a failure would be none if the subject declared more.
#pragma once

#include "core/subject_info.h"
#include "engine/block_entry.h"
#include "engine/judge.h"

#include <string>

namespace deformdiff {

/// A declaration under which a failure is none.
struct Excuse {
  std::string declaration;  ///< such as "level_start_index=ignored"; empty if there is none
  /// It does not ask the case of the subject, which says neither that it holds nor that it does not. Else the
  /// answers agree under it.
  bool left_out = false;
  friend auto operator<=>(const Excuse&, const Excuse&) = default;
};

/// The excuse that `info` leaves open; one under which the answers agree goes before one that leaves the case
/// out.
Excuse excuse_of(const BlockEntry& entry, const Case& c, const Judgement& judgement, const Subject& subject,
                 int threads);

/// Whether the failure is evidence for the declaration without another: its answers agree, or it is a refusal
/// of a case that the declaration lets the subject refuse, and nothing else.
bool speaks_for_itself(const Excuse& excuse);

}  // namespace deformdiff
