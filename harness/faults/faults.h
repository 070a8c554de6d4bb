// The list of faults.
#pragma once

#include "subjects/subject.h"

namespace deformdiff::worker {

/// All faults, numerical ones first. Run only when named or by a self-test.
SubjectList fault_subjects();

}  // namespace deformdiff::worker
