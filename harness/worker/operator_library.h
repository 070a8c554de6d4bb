// An external implementation: a shared library that registers operators when it is loaded.
#pragma once

#include "subjects/subject.h"

#include <string>
#include <variant>

namespace deformdiff::worker {

/// Loads FILE.so of `address` "FILE.so#ns" into this process and finds ns::ms_deform_attn_forward, _backward
/// or both; the subject, whose name is `address`, serves the blocks of those it finds. Where the library
/// cannot be loaded, has neither, or one of another schema, the text says why and what it has instead. What
/// the library does on loading happens to the process.
std::variant<SubjectList, std::string> load_operators(const std::string& address, const std::string& device);

}  // namespace deformdiff::worker
