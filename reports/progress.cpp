#include "reports/progress.h"

#include "reports/tally.h"

#include <algorithm>
#include <chrono>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

using std::chrono::seconds;

constexpr seconds kFirstLine{5};
constexpr seconds kBetweenLines{10};
constexpr seconds kIdleUpdate{1};
constexpr double kSecondsBetweenUpdates = 0.1;
constexpr std::size_t kWidth = 79;

/// "0:45", "12:00", "8:00:00".
std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  const auto minutes = whole / 60;
  if (minutes < 60) return fmt::format("{}:{:02}", minutes, whole % 60);
  return fmt::format("{}:{:02}:{:02}", minutes / 60, minutes % 60, whole % 60);
}

/// Of the whole run, by what its cases cost.
double part_done(const RunPlan& plan, const RunState& state) {
  double done = 0;
  double all = 0;
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    const RunPlan::Part& part = plan.parts[i];
    all += static_cast<double>(part.cases) * part.cost;
    const auto cases = i < state.part ? part.cases : i == state.part ? state.here.done : 0;
    done += static_cast<double>(cases) * part.cost;
  }
  return all > 0 ? done / all : 0;
}

std::string time_text(const RunPlan& plan, const RunState& state) {
  const std::string spent = duration_text(state.seconds);
  if (plan.seconds) {
    return fmt::format("{} of {}, {} left", spent, duration_text(*plan.seconds),
                       duration_text(std::max(0.0, *plan.seconds - state.seconds)));
  }
  // Before that, it would be a guess.
  constexpr double kTelling = 0.02;
  const double done = part_done(plan, state);
  if (done < kTelling) return spent;
  return fmt::format("{}, {} left", spent, duration_text(state.seconds * (1 - done) / done));
}

std::string result_text(const RunState& state) {
  const std::size_t findings = state.findings + state.here.findings;
  if (findings > 0) return counted(static_cast<std::int64_t>(findings), "failure");
  if (state.here.activity.starts_with("confirming")) return "a failure to confirm";
  return state.here.judged > 0 ? "all agree" : "none judged";
}

}  // namespace

std::string progress_text(const RunPlan& plan, const RunState& state, std::size_t width) {
  const RunPlan::Part& part = plan.parts.at(state.part);
  std::string text;
  if (plan.parts.size() > 1) text = fmt::format("[{}/{}] ", state.part + 1, plan.parts.size());
  text += fmt::format("{}: {}", part.block, state.here.done);
  if (!plan.seconds) text += fmt::format(" of {}", part.cases);
  text += " cases";
  if (state.here.done > 0 && state.here.seconds > 0) {
    text += fmt::format(", {:.2g}/s", static_cast<double>(state.here.done) / state.here.seconds);
  }
  text += fmt::format(", {}; {}", result_text(state), time_text(plan, state));
  if (state.here.canaries > 0) {
    text += fmt::format("; {} of {} canaries", state.here.canaries_found, state.here.canaries);
  }
  if (state.here.never_reached > 0) text += fmt::format("; {} classes unreached", state.here.never_reached);
  if (!state.here.activity.empty()) text += "; " + state.here.activity;
  return text.substr(0, width);
}

ProgressLine::ProgressLine(std::FILE* stream, bool wanted, RunPlan plan)
    : stream_(stream), in_place_(::isatty(::fileno(stream)) != 0), plan_(std::move(plan)) {
  if (wanted) ticker_ = std::thread([this] { tick(); });
}

ProgressLine::~ProgressLine() {
  if (!ticker_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  ended_.notify_all();
  ticker_.join();
  if (in_place_) std::fprintf(stream_, "\r%*s\r", static_cast<int>(kWidth), "");
}

void ProgressLine::begin(std::size_t part) {
  const std::lock_guard lock(mutex_);
  state_.findings += state_.here.findings;
  state_.here = {};
  state_.part = part;
}

void ProgressLine::on_progress(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  state_.here = progress;
  if (ticker_.joinable() && in_place_ && watch_.seconds() >= shown_at_ + kSecondsBetweenUpdates) print();
}

void ProgressLine::tick() {
  std::unique_lock lock(mutex_);
  seconds wait = in_place_ ? kIdleUpdate : kFirstLine;
  while (!ended_.wait_for(lock, wait, [this] { return has_ended_; })) {
    print();
    if (!in_place_) wait = kBetweenLines;
  }
}

void ProgressLine::print() {
  state_.seconds = shown_at_ = watch_.seconds();
  const std::string text = progress_text(plan_, state_, kWidth);
  if (in_place_) {
    std::fprintf(stream_, "\r%-*s", static_cast<int>(kWidth), text.c_str());
  } else {
    std::fprintf(stream_, "%s\n", text.c_str());
  }
  std::fflush(stream_);
}

}  // namespace deformdiff
