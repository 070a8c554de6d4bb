#include "engine/session.h"

#include "engine/batch.h"
#include "engine/investigate.h"
#include "engine/run_batch.h"
#include "engine/stopwatch.h"
#include "engine/subject_state.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Subjects whose workers live at the same time: each takes memory.
constexpr std::size_t kGroup = 16;

/// Cases of the first slice of a timed run that has several groups of subjects.
constexpr std::uint64_t kFirstSlice = 256;

class Session {
 public:
  Session(const BlockEntry& entry, std::vector<SubjectSpec> specs, const SessionOptions& options,
          Listener& listener)
      : entry_(entry),
        options_(limited(options)),
        listener_(listener),
        investigator_(entry, options_, listener) {
    investigator_.on_activity = [this](const std::string& activity) { tell(activity); };
    open(std::move(specs));
  }

  SessionReport run() {
    const auto total = static_cast<std::uint64_t>(options_.cases);
    const bool sliced = options_.time_limit_seconds && states_.size() > kGroup;
    std::uint64_t size = sliced ? kFirstSlice : total;
    for (std::uint64_t begin = 0; begin < total && size > 0;) {
      const std::uint64_t end = begin + std::min(size, total - begin);
      const Stopwatch watch;
      run_slice(begin, end);
      if (sliced) size = next_slice(end - begin, watch.seconds());
      begin = end;
      if (out_of_time()) break;
    }
    for (SubjectState& state : states_) {
      state.report.workers = state.subject.runner->workers_started();
      report_.subjects.push_back(std::move(state.report));
    }
    investigator_.settle();
    report_.findings = investigator_.findings();
    report_.seconds = watch_.seconds();
    return std::move(report_);
  }

 private:
  /// With the time limit as the end of everything.
  static SessionOptions limited(SessionOptions options) {
    if (options.time_limit_seconds) {
      options.limits.end = options.limits.end.within(*options.time_limit_seconds);
    }
    return options;
  }

  void open(std::vector<SubjectSpec> specs) {
    for (std::size_t first = 0; first < specs.size(); first += kGroup) {
      const auto begin = specs.begin() + static_cast<std::ptrdiff_t>(first);
      const auto end = specs.begin() + static_cast<std::ptrdiff_t>(std::min(first + kGroup, specs.size()));
      std::vector<SubjectSpec> group(std::make_move_iterator(begin), std::make_move_iterator(end));
      for (Subject& subject : open_subjects(std::move(group), options_.limits)) {
        const auto& environment = subject.runner->environment();
        report_.environment.insert(environment.begin(), environment.end());
        if (specs.size() > kGroup) subject.runner->restart();
        states_.emplace_back(std::move(subject), entry_.block->name());
      }
    }
  }

  bool out_of_time() const { return options_.limits.end.passed(); }

  /// Twice as many cases as before, if the time that is left allows; 0 where it allows only a few.
  std::uint64_t next_slice(std::uint64_t cases, double seconds) const {
    const double left = options_.limits.end.seconds_left();
    const double rate = static_cast<double>(cases) / std::max(seconds, 1e-3);
    const auto fitting = static_cast<std::uint64_t>(std::max(0.0, left * rate));
    return fitting < kBatchCases ? 0 : std::min(2 * cases, fitting);
  }

  /// Cases begin .. end-1 on every subject, one group after the other.
  void run_slice(std::uint64_t begin, std::uint64_t end) {
    for (std::size_t first = 0; first < states_.size() || first == 0; first += kGroup) {
      std::vector<SubjectState*> group;
      for (std::size_t i = first; i < std::min(first + kGroup, states_.size()); ++i) {
        if (!states_[i].stopped) group.push_back(&states_[i]);
      }
      run_group(group, begin, end, first == 0);
      if (states_.size() <= kGroup || out_of_time()) break;
      for (SubjectState* state : group) {
        state->subject.runner->restart();
        state->forget_calls();
      }
    }
  }

  void run_group(const std::vector<SubjectState*>& group, std::uint64_t begin, std::uint64_t end,
                 bool count_triggers) {
    BatchSource source(*entry_.generator, stream_of(options_), begin, end, [&](const Case& c) {
      return std::ranges::any_of(group, [&](const SubjectState* state) {
        return fits(state->subject.info, *entry_.block, c, options_.memory_limit);
      });
    });
    Batch batch = generate(source);
    while (!batch.cases.empty()) {
      if (std::all_of(group.begin(), group.end(), [](const auto* state) { return state->stopped; })) return;
      if (count_triggers) count_triggers_of(batch);
      Batch next;
      run_batch(entry_, options_, group, batch, investigator_, report_.split, [&] {
        if (!out_of_time()) next = generate(source);
      });
      batch = std::move(next);
      tell(activity_of(group));
      if (out_of_time()) return;
    }
  }

  Batch generate(BatchSource& source) {
    const Stopwatch watch;
    Batch batch = source.next(options_.limits.end);
    report_.split.generate += watch.seconds();
    return batch;
  }

  void count_triggers_of(const Batch& batch) {
    for (std::size_t i = 0; i < batch.cases.size(); ++i) {
      if (batch.outlines.contains(i)) continue;
      for (const std::string& trigger : entry_.generator->triggers_hit(batch.cases[i]))
        ++report_.triggers[trigger];
    }
  }

  std::string activity_of(const std::vector<SubjectState*>& group) const {
    std::string names;
    constexpr std::size_t kNamed = 3;
    for (std::size_t i = 0; i < std::min(group.size(), kNamed); ++i) {
      names += (i > 0 ? ", " : "") + group[i]->report.name;
    }
    if (group.size() > kNamed) names += fmt::format(" and {} more", group.size() - kNamed);
    return "fuzzing " + names;
  }

  void tell(const std::string& activity) {
    std::int64_t given = 0;
    std::int64_t running = 0;
    std::int64_t judged = 0;
    for (const SubjectState& state : states_) {
      if (!state.stopped) {
        ++running;
        given += state.report.cases;
      }
      judged += tally_of(state.report).judged();
    }
    const std::int64_t done = running > 0 ? given / running : options_.cases;
    listener_.on_progress({done, investigator_.size(), watch_.seconds(), activity, judged});
  }

  const BlockEntry& entry_;
  const SessionOptions options_;
  Listener& listener_;
  Investigator investigator_;
  std::deque<SubjectState> states_;
  SessionReport report_;
  Stopwatch watch_;
};

}  // namespace

SessionReport fuzz(const BlockEntry& entry, std::vector<SubjectSpec> subjects, const SessionOptions& options,
                   Listener& listener) {
  return Session(entry, std::move(subjects), options, listener).run();
}

}  // namespace deformdiff
