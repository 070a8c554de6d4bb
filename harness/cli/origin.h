// Saved failures on the implementation that they came from.
#pragma once

#include "cli/saved_run.h"

#include <string>

namespace deformdiff::cli {

/// `replay --origin`: whether each case still says something about what it came from. Exit code 0 if they all
/// do, 1 if one does not, 4 if nothing could be run.
int run_origin(const Options& options);

/// What a run on it must come to: of an open case the failure; of a regression the failure on a fault and on
/// the very file that failed, agreement on another file there and on an implementation of ours.
enum class OriginMust { kFail, kAgree };
OriginMust origin_must(const SavedCase& saved, const std::string& sha256_now);

}  // namespace deformdiff::cli
