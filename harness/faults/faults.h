// The list of faults.
#pragma once

#include "subjects/subject.h"

#include <memory>
#include <string>

namespace deformdiff::worker {

/// All faults, numerical ones first. Run only when named or by a self-test.
SubjectList fault_subjects();

/// The fault of that name: one of them, or "fault/wrong_stage:STAGE:SIZE" (wrong_stage.h). Null if there is
/// none.
std::unique_ptr<Subject> fault_by_name(const std::string& name);

}  // namespace deformdiff::worker
