#include "engine/subject_state.h"

#include <utility>

#include <fmt/format.h>

namespace deformdiff {

SubjectState::SubjectState(Subject opened, const std::string& block) : subject(std::move(opened)) {
  report.name = subject.spec.name;
  report.block = block;
  report.info = subject.info;
}

void SubjectState::take_up(const SubjectRecord& earlier, const std::vector<CountedCases>& counted) {
  stopped = earlier.stopped;
  hangs_ = earlier.hangs;
  lost_workers_ = earlier.lost_workers;
  workers_before_ = earlier.workers;
  for (const CountedCases& part : counted) {
    add(report, part.counts);
    done.add(part.cases);
  }
}

SubjectRecord SubjectState::record() const {
  SubjectRecord record{report.info, stopped, hangs_, lost_workers_, workers()};
  record.info.name = report.name;
  return record;
}

void SubjectState::end_batch() {
  add(report, latest.counts);
  done.add(latest.cases);
}

Outcome SubjectState::admit_case(const Block& block, const Case& c, std::int64_t memory_limit) const {
  if (!subject.started()) return subject.start_failure;
  const bool hangs = hangs_ >= kMostHangs;
  if (!hangs && lost_workers_ < kMostLostWorkers) return admit(subject.info, block, c, memory_limit);
  return outcome_of(Outcome::Kind::kNotRun,
                    hangs ? fmt::format("timed out {} times before", kMostHangs)
                          : fmt::format("took its worker down {} times before", kMostLostWorkers));
}

void SubjectState::note_call(std::uint64_t index, const Outcome& outcome) {
  given_.push_back(index);
  switch (outcome.kind) {
    case Outcome::Kind::kTimedOut:
      ++hangs_;
      [[fallthrough]];
    case Outcome::Kind::kCrashed:
    case Outcome::Kind::kDeviceError:
      ++lost_workers_;
      forget_calls();
      break;
    default:
      break;
  }
}

bool SubjectState::wants_fresh_worker() const {
  const std::size_t calls = calls_of_worker().size();
  return calls >= kMostCalls || (calls > 0 && !opening_tells_);
}

std::span<const std::uint64_t> SubjectState::calls_of_worker() const {
  return std::span(given_).subspan(began_);
}

}  // namespace deformdiff
