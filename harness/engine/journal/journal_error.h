// What is wrong with a journal while it is written.
#pragma once

#include <stdexcept>

namespace deformdiff {

/// The journal, or the disk below it, failed. The text names the file and the reason. Caught in main, or by a
/// session, which then ends with what it has: exit code 3.
class JournalError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace deformdiff
