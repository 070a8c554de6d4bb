#include "core/wire/hello.h"
#include "core/wire/run.h"
#include "engine/runner.h"
#include "engine/shared_worker.h"
#include "engine/worker_process.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

using Clock = WorkerProcess::Clock;

/// How long a wait goes without a look at whether the user has ended the run, in seconds.
constexpr double kSlice = 0.1;

/// A case that took this long, in seconds, when the run ended is worth telling of.
constexpr double kWhile = 1;

Clock::time_point after(Clock::time_point start, double seconds) {
  return start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

class WorkerRunner : public SharedWorker {
 public:
  WorkerRunner(WorkerCommand command, const RunLimits& limits)
      : command_(std::move(command)), limits_(limits) {}

  void prepare() override {
    if (!worker_) spawn();
  }

  SubjectInfo info(Outcome& failure) override {
    DEFORMDIFF_CHECK(next_ == cases_.size());
    if (!subject_ && !refusal_) {
      if (!worker_) spawn();
      while (!greeted_ && !refusal_) step();
    }
    failure = refusal_.value_or(Outcome{});
    return subject_.value_or(SubjectInfo{});
  }

  void choose(const std::string& subject) override { command_.subject = subject; }

  WorkerProcess& process() override {
    DEFORMDIFF_CHECK(worker_.has_value() && greeted_);
    return *worker_;
  }

  void start(std::span<const Case> cases, CallMode mode) override {
    DEFORMDIFF_CHECK(next_ == cases_.size());
    cases_.assign(cases.begin(), cases.end());
    outcomes_.clear();
    outcomes_.resize(cases_.size());
    next_ = 0;
    mode_ = mode;
    if (starts_later_) forget_worker();
    send_rest();
  }

  std::vector<Outcome> finish() override {
    // The time the caller took since start() is not the subject's.
    progress_ = Clock::now();
    while (next_ < cases_.size() && !refusal_) step();
    for (; next_ < cases_.size(); ++next_) outcomes_[next_] = *refusal_;
    outcomes_.resize(cases_.size());
    cases_.clear();
    next_ = 0;
    return std::move(outcomes_);
  }

  void restart() override {
    DEFORMDIFF_CHECK(next_ == cases_.size());
    forget_worker();
  }

  const std::map<std::string, std::string>& environment() const override { return environment_; }
  std::int64_t workers_started() const override { return workers_; }

 private:
  void forget_worker() {
    worker_.reset();
    refusal_.reset();
    starts_later_ = false;
    failed_starts_ = 0;
  }

  /// Throws InputError if the program cannot be started at all; one that could before leaves its cases not
  /// run.
  void spawn() {
    try {
      worker_.emplace(command_.argv, limits_.memory_bytes);
    } catch (const InputError& error) {
      if (!subject_) throw;
      starts_later_ = true;
      refusal_ = outcome_of(Outcome::Kind::kNotRun,
                            fmt::format("its worker does not start again: {}", error.what()));
      return;
    }
    greeted_ = false;
    first_call_ = true;
    ++workers_;
    progress_ = Clock::now();
  }

  /// Gives the present worker, or a fresh one, the cases that have no outcome yet.
  void send_rest() {
    if (refusal_) return;
    if (!worker_) spawn();
    if (refusal_ || next_ == cases_.size()) return;
    request_start_ = next_;
    wire::RunRequest request{
        command_.subject, mode_, {cases_.begin() + static_cast<std::ptrdiff_t>(next_), cases_.end()}};
    worker_->rewind_shared_data();
    worker_->send(wire::encode(request));
    progress_ = Clock::now();
  }

  /// Takes the next message, or notices that there will be none.
  void step() {
    const double patience = greeted_ && next_ < cases_.size()
                                ? case_timeout(limits_, cases_[next_], first_call_)
                                : limits_.start_timeout_seconds;
    const Clock::time_point deadline = after(progress_, patience);
    switch (worker_->receive(std::min({deadline, limits_.end.time, after(Clock::now(), kSlice)}))) {
      case WorkerProcess::Event::kMessage:
        return take_message();
      case WorkerProcess::Event::kEnded:
        return fail(Outcome::Kind::kCrashed, worker_->describe_end());
      case WorkerProcess::Event::kNonsense:
        return fail_for_nonsense();
      case WorkerProcess::Event::kStopped:
        return fail(Outcome::Kind::kCrashed, worker_->describe_stop());
      case WorkerProcess::Event::kDeadline:
        if (limits_.end.passed()) return give_up();
        if (Clock::now() < deadline) return;
        return fail(Outcome::Kind::kTimedOut, fmt::format("no answer within {:.4g} s", patience));
    }
  }

  void take_message() {
    try {
      if (!greeted_) return take_greeting();
      wire::RunResult result = wire::decode_run_result(worker_->header(), worker_->data());
      if (next_ == cases_.size() || result.position != next_ - request_start_) {
        throw InputError("message: position: that of the next case wanted");
      }
      worker_->release_data();
      if (result.more) {
        std::ranges::move(result.outcome.stages, std::back_inserter(stages_ahead_));
        return;
      }
      if (result.outcome.kind == Outcome::Kind::kReturned) {
        result.outcome.stages.insert(result.outcome.stages.begin(), std::move_iterator(stages_ahead_.begin()),
                                     std::move_iterator(stages_ahead_.end()));
      }
      const bool device_lost = result.outcome.kind == Outcome::Kind::kDeviceError;
      set_outcome(std::move(result.outcome));
      if (device_lost) replace_worker();
    } catch (const InputError&) {
      fail_for_nonsense();
    }
  }

  /// A declaration that cannot be read is an error in what the worker serves, not in how it speaks.
  void take_greeting() {
    const bool is_greeting = wire::kind_of_message(worker_->header(), worker_->data()) == "hello";
    try {
      greet(wire::decode_hello(worker_->header(), worker_->data()));
    } catch (const InputError& error) {
      if (!is_greeting) throw;
      greeted_ = true;
      refusal_ = outcome_of(Outcome::Kind::kNotRun, fmt::format("its worker's greeting: {}", error.what()));
    }
    progress_ = Clock::now();
  }

  void greet(wire::Hello hello) {
    greeted_ = true;
    failed_starts_ = 0;
    environment_ = std::move(hello.environment);
    std::vector<std::string> names;
    for (SubjectInfo& info : hello.subjects) {
      names.push_back(info.name);
      if (info.name == command_.subject) subject_ = std::move(info);
    }
    if (!hello.refusal.empty()) {
      refusal_ = outcome_of(Outcome::Kind::kNotRun, hello.refusal);
    } else if (!subject_) {
      refusal_ =
          outcome_of(Outcome::Kind::kNotRun, fmt::format("the worker knows no subject '{}'; it knows {}",
                                                         command_.subject, fmt::join(names, ", ")));
    }
  }

  void fail_for_nonsense() {
    fail(Outcome::Kind::kCrashed,
         fmt::format("wrote nonsense into the channel: {}", worker_->describe_nonsense()));
  }

  /// The worker is of no more use, and the case that it was at is to blame; one that a signal from outside
  /// may have ended gets another worker first.
  void fail(Outcome::Kind kind, std::string message) {
    const std::string words = worker_->last_words();
    if (!words.empty()) message += fmt::format("; its last words: {}", words);
    if (!greeted_) return fail_to_start(kind, std::move(message));
    const bool excused = !excused_ && worker_->was_hit_from_outside();
    if (excused) {
      excused_ = true;
      lost_worker_ = std::move(message);
      stages_ahead_.clear();
    } else if (next_ < cases_.size()) {
      set_outcome(outcome_of(kind, std::move(message)));
    }
    replace_worker();
  }

  /// After some tries this is the outcome of every case: what the subject does on loading. If it has loaded
  /// before, these cases are not run, and the next are tried again.
  void fail_to_start(Outcome::Kind kind, std::string message) {
    const bool hangs = kind == Outcome::Kind::kTimedOut && !worker_->was_hit_from_outside();
    worker_.reset();
    if (++failed_starts_ < kWorkerStarts && !hangs) {
      lost_worker_ = message + " on loading";
      return send_rest();
    }
    if (subject_) {
      starts_later_ = !hangs;
      refusal_ = outcome_of(Outcome::Kind::kNotRun, "its worker does not start again: " + message);
    } else {
      refusal_ = outcome_of(kind, "on loading: " + message);
    }
  }

  /// The run is over: the cases that have no outcome get none.
  void give_up() {
    worker_.reset();
    if (!subject_) {
      refusal_ = outcome_of(Outcome::Kind::kNotRun, "the time was up while it was loading");
      return;
    }
    const double taken = std::chrono::duration<double>(Clock::now() - progress_).count();
    if (next_ < cases_.size() && taken >= kWhile) {
      set_outcome(outcome_of(Outcome::Kind::kNotRun, "the time was up while it ran"));
    }
    cases_.resize(next_);
    stages_ahead_.clear();
  }

  /// Of the case that the worker is at.
  void set_outcome(Outcome outcome) {
    outcome.lost_worker = std::exchange(lost_worker_, {});
    outcomes_[next_++] = std::move(outcome);
    excused_ = false;
    first_call_ = false;
    stages_ahead_.clear();
    progress_ = Clock::now();
  }

  void replace_worker() {
    worker_.reset();
    if (next_ < cases_.size()) send_rest();
  }

  WorkerCommand command_;
  RunLimits limits_;
  std::optional<WorkerProcess> worker_;
  bool greeted_ = false;    ///< the present worker's first message is here
  bool first_call_ = true;  ///< the present worker has not answered a case yet
  Clock::time_point progress_;
  std::int64_t workers_ = 0;
  int failed_starts_ = 0;      ///< in a row
  bool starts_later_ = false;  ///< what is in refusal_ need not be so for the next cases
  bool excused_ = false;       ///< the case at next_ has lost a worker already
  std::string lost_worker_;    ///< how the one ended that this one replaces at the case at next_

  std::map<std::string, std::string> environment_;
  std::optional<SubjectInfo> subject_;
  std::optional<Outcome>
      refusal_;  ///< of every case until restart(), or the next start(): the worker cannot serve them

  std::vector<Case> cases_;
  std::vector<Outcome> outcomes_;
  std::vector<NamedTensor> stages_ahead_;  ///< what the case that the worker is at has shown so far
  std::size_t next_ = 0;                   ///< first case without an outcome
  std::size_t request_start_ = 0;          ///< case at position 0 of the last request
  CallMode mode_;
};

}  // namespace

double case_timeout(const RunLimits& limits, const Case& c, bool first_call) {
  if (limits.case_timeout_seconds) return *limits.case_timeout_seconds;
  // Every element meets every channel, or fewer: so many multiplications a second are slow for any program.
  constexpr double kSlow = 1e6;
  constexpr double kLongest = 3600;
  std::int64_t elements = 0, channels = 1;
  for (const auto& [name, input] : c.inputs) {
    elements += input.elements();
    if (!input.shape().empty()) channels = std::max(channels, input.shape().back());
  }
  const double work = static_cast<double>(elements) * static_cast<double>(channels);
  return kCaseTimeout + std::min(kLongest, work / kSlow) + (first_call ? limits.start_timeout_seconds : 0);
}

std::unique_ptr<SharedWorker> shared_worker(const WorkerCommand& command, const RunLimits& limits) {
  return std::make_unique<WorkerRunner>(command, limits);
}

std::unique_ptr<Runner> worker_runner(const WorkerCommand& command, const RunLimits& limits) {
  return std::make_unique<WorkerRunner>(command, limits);
}

}  // namespace deformdiff
