// Faults that break more than numbers: they crash, hang, print, or write where they should not. They prove
// that whatever a subject does is one verdict about it, and that a run goes on.
#pragma once

#include "subjects/subject.h"

namespace deformdiff::worker {

/// Each misbehaves where N*Q is odd and gives the right answer elsewhere; what it must get is in its info.
SubjectList process_faults();

}  // namespace deformdiff::worker
