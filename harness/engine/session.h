// A fuzzing run over one block: generate, refer, execute, compare; confirm, shrink and save what is found.
#pragma once

#include "engine/block_entry.h"
#include "engine/journal/session_journal.h"
#include "engine/session_listener.h"
#include "engine/session_options.h"
#include "engine/session_report.h"
#include "engine/subject.h"

#include <vector>

namespace deformdiff {

/// Runs the session. Whatever a subject does is in the report; throws InputError if out cannot be written.
/// With a journal the session goes on from what that holds, and writes down what it does; where that fails
/// it ends, and the report says why.
SessionReport fuzz(const BlockEntry& entry, std::vector<SubjectSpec> subjects, const SessionOptions& options,
                   Listener& listener, SessionJournal* journal = nullptr);

}  // namespace deformdiff
