// Where a run stands, on standard error: a line that is rewritten in place, or, where that is no terminal, a
// plain line every ten seconds.
#pragma once

#include "engine/session_listener.h"
#include "engine/stopwatch.h"

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace deformdiff {

/// What a run is going to do: a session a block.
struct RunPlan {
  struct Part {
    std::string block;
    std::int64_t cases = 0;
    double cost = 1;  ///< of a case, beside that of other blocks
  };

  std::vector<Part> parts;
  std::optional<double> seconds;  ///< the time given; it, and not the number of cases, is then the end
};

/// How far it is.
struct RunState {
  std::size_t part = 0;
  Progress here;             ///< of this part, in its own time
  std::size_t findings = 0;  ///< of the parts before
  double seconds = 0;        ///< since the run began
};

/// "[2/11] position_embedding: 4 of 8 cases, 2.1/s, all agree; 0:12, 0:48 left; fuzzing cpu", cut to `width`.
std::string progress_text(const RunPlan& plan, const RunState& state, std::size_t width);

class ProgressLine : public Listener {
 public:
  /// Prints to `stream` if `wanted`.
  ProgressLine(std::FILE* stream, bool wanted, RunPlan plan);
  ~ProgressLine() override;  ///< clears the line
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// What is told from now on is of this part of the plan. The first is begun already.
  void begin(std::size_t part);

  void on_progress(const Progress& progress) override;

 private:
  void tick();   ///< the work of `ticker_`
  void print();  ///< with `mutex_` held

  std::FILE* stream_;
  bool in_place_;
  RunPlan plan_;
  Stopwatch watch_;

  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  RunState state_;
  double shown_at_ = 0;  ///< seconds since the run began
  std::thread ticker_;   ///< so that a line comes also while a case takes long
};

}  // namespace deformdiff
