// A fuzzing run over one block: generate, refer, execute, compare; confirm, shrink and save what is found.
#pragma once

#include "engine/block_entry.h"
#include "engine/session_listener.h"
#include "engine/session_options.h"
#include "engine/session_report.h"
#include "engine/subject.h"

#include <vector>

namespace deformdiff {

/// Runs the session. Whatever a subject does is in the report; throws InputError if out cannot be written.
SessionReport fuzz(const BlockEntry& entry, std::vector<SubjectSpec> subjects, const SessionOptions& options,
                   Listener& listener);

}  // namespace deformdiff
