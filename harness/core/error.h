// The three kinds of error: our own bug (DEFORMDIFF_CHECK), bad input (InputError), and whatever a subject
// does, which is never an error here but data in an Outcome.
#pragma once

#include <stdexcept>
#include <string>

namespace deformdiff {

/// Bad usage, or a file that is missing, unreadable or wrong. The text names the file, the field and the
/// fix. Caught once in main: exit code 2.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A broken invariant of the harness itself. Caught once in main: exit code 3.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Throws the InputError of something that is promised and not built yet.
[[noreturn]] void not_available_yet(const std::string& what);

[[noreturn]] void fail_check(const char* condition, const char* file, int line);

}  // namespace deformdiff

/// Throws InternalError unless `condition`, which must have no side effects.
#define DEFORMDIFF_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::deformdiff::fail_check(#condition, __FILE__, __LINE__))
