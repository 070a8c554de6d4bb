// The command line of a run that is gone on with.
#pragma once

#include "cli/options.h"

namespace deformdiff::cli {

/// The options with which the run in `typed.out` was begun, and where to and how to report from `typed`;
/// `typed` itself where it says what to run, or is not to resume. Throws InputError if there is no such run.
Options as_resumed(const Options& typed);

}  // namespace deformdiff::cli
