// A line about the run's progress on standard error, rewritten in place.
#pragma once

#include "engine/session_listener.h"

#include <cstdio>

namespace deformdiff {

class ProgressLine : public Listener {
 public:
  /// Prints to `stream` only if it is a terminal and `wanted`.
  ProgressLine(std::FILE* stream, bool wanted);
  ~ProgressLine() override;  ///< clears the line

  void on_progress(const Progress& progress) override;

 private:
  std::FILE* stream_;
  bool active_;
  double shown_at_ = -1;  ///< seconds since the run began
};

/// "  123/2000 cases, 12 s, 1 failure: fuzzing cpu", cut to `width`.
std::string progress_text(const Progress& progress, std::size_t width);

}  // namespace deformdiff
