// The list of implementations: a new one is one new file and one line in subjects.cpp.
#pragma once

#include "subjects/subject.h"

namespace deformdiff::worker {

/// Built-in implementations, in the order of reports. Creating the list loads nothing heavy.
SubjectList builtin_subjects();

}  // namespace deformdiff::worker
