// Whether a failure would be none if the subject declared more.
#pragma once

#include "core/subject_info.h"
#include "engine/block_entry.h"
#include "engine/judge.h"

#include <string>

namespace deformdiff {

/// The declaration, such as "level_start_index=ignored", that `info` leaves open and under which the case
/// does not fail: its answers agree, or it is not asked of the subject. Empty if there is none.
std::string excuse_of(const BlockEntry& entry, const Case& c, const Judgement& judgement,
                      const SubjectInfo& info, int threads);

}  // namespace deformdiff
