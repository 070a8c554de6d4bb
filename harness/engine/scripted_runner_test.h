// A subject that answers by a script in this process, and what it was given, for the tests of the engine.
#pragma once

#include "core/error.h"
#include "engine/subject.h"

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace deformdiff {

/// What the subject does with a case, after the calls that its present worker was given before. A script that
/// is to be flaky keeps a count of its own.
using Script = std::function<Outcome(const Case& c, std::span<const Case> before)>;

struct GivenCall {
  Case problem;
  CallMode mode;
  std::int64_t worker;  ///< counted from 1 over all runners of the subject
  double timeout;       ///< seconds that its runner allows a case
};

/// Must outlive the runners that it makes.
class ScriptedSubject {
 public:
  ScriptedSubject(const std::string& block, Script script) : script_(std::move(script)) {
    info.blocks = {block};
  }
  ScriptedSubject(const ScriptedSubject&) = delete;
  ScriptedSubject& operator=(const ScriptedSubject&) = delete;

  SubjectInfo info;       ///< what its workers say
  Outcome start_failure;  ///< what becomes of a worker that is started

  std::vector<GivenCall> calls;  ///< in order; the one that the script is asked for is there already
  int batches_started = 0;
  int batches_finished = 0;
  int restarts = 0;
  std::int64_t workers = 0;
  std::vector<RunLimits> limits;  ///< of the runners, in the order in which they were made

  SubjectSpec spec(const std::string& name = "scripted") {
    SubjectSpec made;
    made.name = name;
    made.make_runner = [this](const WorkerCommand&, const RunLimits& of_runner) {
      limits.push_back(of_runner);
      return std::make_unique<ScriptedRunner>(*this, of_runner);
    };
    return made;
  }

  Subject open(const RunLimits& of_runner = {}) { return open_subject(spec(), of_runner); }

 private:
  /// Like the runner of real workers: a worker is started on first use, kept, and replaced once it is lost.
  class ScriptedRunner : public Runner {
   public:
    ScriptedRunner(ScriptedSubject& subject, const RunLimits& limits) : subject_(subject), limits_(limits) {}

    SubjectInfo info(Outcome& failure) override {
      use_worker();
      failure = subject_.start_failure;
      return subject_.info;
    }
    const std::map<std::string, std::string>& environment() const override { return environment_; }

    void start(std::span<const Case> cases, CallMode mode) override {
      DEFORMDIFF_CHECK(waiting_.empty());
      ++subject_.batches_started;
      waiting_.assign(cases.begin(), cases.end());
      mode_ = mode;
    }

    std::vector<Outcome> finish() override {
      std::vector<Outcome> outcomes;
      for (Case& c : std::exchange(waiting_, {})) {
        if (limits_.end.passed()) break;
        outcomes.push_back(call(std::move(c)));
      }
      ++subject_.batches_finished;
      return outcomes;
    }

    void restart() override {
      DEFORMDIFF_CHECK(waiting_.empty());
      ++subject_.restarts;
      worker_ = 0;
    }

    std::int64_t workers_started() const override { return started_; }

   private:
    void use_worker() {
      if (worker_ != 0) return;
      worker_ = ++subject_.workers;
      ++started_;
      before_.clear();
    }

    Outcome call(Case c) {
      use_worker();
      subject_.calls.push_back({c, mode_, worker_, limits_.case_timeout_seconds.value_or(kCaseTimeout)});
      Outcome outcome = subject_.script_(c, before_);
      before_.push_back(std::move(c));
      const bool lost = outcome.kind == Outcome::Kind::kCrashed || outcome.kind == Outcome::Kind::kTimedOut ||
                        outcome.kind == Outcome::Kind::kDeviceError;
      if (lost) worker_ = 0;
      return outcome;
    }

    ScriptedSubject& subject_;
    const RunLimits limits_;
    const std::map<std::string, std::string> environment_{{"worker", "scripted"}};
    std::vector<Case> waiting_;
    CallMode mode_;
    std::int64_t worker_ = 0;  ///< the present one; 0 if there is none
    std::int64_t started_ = 0;
    std::vector<Case> before_;  ///< given to the present worker
  };

  Script script_;
};

}  // namespace deformdiff
