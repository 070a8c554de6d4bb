// The command line of a run that is gone on with.
#pragma once

#include "cli/options.h"

namespace deformdiff::cli {

/// The command line with which the run in `typed.out` was begun, and what is typed now in addition, or in
/// place of what it was; `typed` itself where it names blocks or implementations, or is not to resume. Throws
/// InputError if there is no such run.
Options as_resumed(const Options& typed);

}  // namespace deformdiff::cli
