#include "engine/session.h"

#include "engine/batch.h"
#include "engine/canaries.h"
#include "engine/groups.h"
#include "engine/guide.h"
#include "engine/investigate.h"
#include "engine/run_batch.h"
#include "engine/stopwatch.h"
#include "engine/subject_state.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <string>
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
          Listener& listener, SessionJournal* journal)
      : entry_(entry),
        options_(limited(options)),
        listener_(listener),
        journal_(journal),
        investigator_(entry, options_, listener),
        canaries_(entry, options_),
        guide_(entry, stream_of(options_), options_.shard) {
    investigator_.on_activity = [this](const std::string& activity) { tell(activity); };
    open(std::move(specs));
    if (journal_ != nullptr) {
      journal_->note_environment(report_.environment);
      journal_->take_up(states_, investigator_, drawn_);
      for (SubjectState& state : states_) state.stopped = state.stopped && options_.first_finding;
      canaries_.take_up(journal_->earlier_canaries());
      guide_.counts() = journal_->earlier_guided();
    }
  }

  SessionReport run() {
    try {
      if (journal_ != nullptr) journal_->write_canaries(canaries_.all());
      run_all();
      const bool finished = !out_of_time();
      investigator_.settle();
      group();
      if (journal_ != nullptr) journal_->close(states_, investigator_, finished);
    } catch (const JournalError& error) {
      report_.broken_off = error.what();
    }
    for (SubjectState& state : states_) {
      state.report.workers = state.workers();
      report_.subjects.push_back(std::move(state.report));
    }
    report_.triggers = std::move(drawn_.triggers);
    report_.split = drawn_.split;
    report_.findings = investigator_.findings();
    report_.canaries = canaries_.all();
    if (guide_.counts().cases > 0) report_.guided = {guide_.counts()};
    report_.seconds = watch_.seconds();
    return std::move(report_);
  }

 private:
  /// Consecutive cases and the subjects that are to get them.
  struct Stretch {
    std::uint64_t first, end;
    std::vector<SubjectState*> subjects;
  };

  struct Work {
    Batch batch;
    std::vector<SubjectState*> subjects;
  };

  void run_all() {
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
  }

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
        note_environment(subject);
        if (specs.size() > kGroup) subject.runner->restart();
        states_.emplace_back(std::move(subject), entry_.block->name());
      }
    }
  }

  /// Where implementations run with other versions than those before them, it is said whose they are.
  void note_environment(const Subject& subject) {
    for (const auto& [key, value] : subject.runner->environment()) {
      const auto [known, is_new] = report_.environment.emplace(key, value);
      if (!is_new && known->second != value) {
        report_.environment[fmt::format("{} of {}", key, subject.spec.name)] = value;
      }
    }
  }

  /// No further case is to be run: a batch as long as the last would end too late.
  bool out_of_time() const {
    const double grouping = investigator_.seconds_for_grouping();
    const double needed = grouping > 0 ? grouping + batch_seconds_ : 0;
    return options_.limits.end.passed() || options_.limits.end.seconds_left() < needed;
  }

  void group() {
    if (!options_.shrink) return;
    for (SubjectState& state : states_) {
      if (options_.limits.end.passed()) return;
      tell("grouping the findings of " + state.report.name);
      group_findings(investigator_.book(), state, entry_, options_, drawn_);
    }
  }

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
      run_group(group, begin, end);
      if (states_.size() <= kGroup || out_of_time()) break;
      for (SubjectState* state : group) {
        state->subject.runner->restart();
        state->forget_calls();
      }
    }
  }

  void run_group(const std::vector<SubjectState*>& group, std::uint64_t begin, std::uint64_t end) {
    BatchSource source(*entry_.generator, stream_of(options_), begin, begin, [&](const Case& c) {
      return std::ranges::any_of(group, [&](const SubjectState* state) {
        return fits(state->subject.info, *entry_.block, c, options_.memory_limit);
      });
    });
    DrawnCases latest;
    Stretch stretch{begin, begin, {}};
    const auto draw = [&]() -> Work {
      const Stopwatch watch;
      Batch batch = source.next(options_.limits.end);
      if (batch.cases.empty()) {
        const auto next = next_stretch(group, stretch.end, end);
        if (!next) return {};
        stretch = *next;
        source.go_on_at(stretch.first, stretch.end);
        batch = source.next(options_.limits.end);
      }
      latest.split.generate += watch.seconds();
      return {std::move(batch), stretch.subjects};
    };
    for (Work work = draw(); !work.batch.cases.empty();) {
      if (std::ranges::all_of(work.subjects, &SubjectState::stopped)) return;
      if (journal_ != nullptr) journal_->begin(work.batch, work.subjects);
      Work next;
      run_batch(
          entry_, options_, work.subjects, work.batch, investigator_, latest.split,
          [&] {
            if (!out_of_time()) next = draw();
          },
          [&](const Case& c, const Comparison& comparison) { guide_by(c, comparison); });
      count_triggers_of(work, latest);
      if (journal_ != nullptr) journal_->finish(work.subjects, latest, investigator_);
      add(drawn_, latest);
      batch_seconds_ = latest.split.total();
      latest = {};
      const std::uint64_t position = work.batch.first;
      work = std::move(next);
      run_canaries();
      run_guided(group, position);
      tell(activity_of(group));
      if (out_of_time()) return;
    }
  }

  void run_canaries() {
    const Canary* const canary = canaries_.run_if_due(watch_.seconds());
    if (canary != nullptr && journal_ != nullptr) journal_->write_canaries({canary, 1});
  }

  void guide_by(const Case& c, const Comparison& comparison) {
    const bool agreed = comparison.verdict == Verdict::kAgree;
    if (options_.guided_share > 0 && agreed) guide_.note_ratio(c, comparison.ratio);
  }

  /// Cases beside the stream, until they have had their share; the stream is at case `position`.
  void run_guided(const std::vector<SubjectState*>& group, std::uint64_t position) {
    while (guide_.is_ready() && guided_seconds_ < options_.guided_share * watch_.seconds() &&
           !out_of_time()) {
      if (std::ranges::all_of(group, &SubjectState::stopped)) return;
      const Stopwatch watch;
      run_guided_batch(group, {position, guide_.next()});
      guided_seconds_ += watch.seconds();
      guide_.counts().seconds += watch.seconds();
      if (journal_ != nullptr) journal_->write_guided(guide_.counts(), investigator_);
    }
  }

  void run_guided_batch(const std::vector<SubjectState*>& group, const Batch& batch) {
    TimeSplit ignored;
    std::vector<Met> all = judge_batch(
        entry_, options_, group, batch, ignored, [] {},
        [&](const Case& c, const Comparison& comparison) {
          guide_.counts().judged += comparison.verdict == Verdict::kAgree ? 1 : 0;
          guide_by(c, comparison);
        });
    for (Met& met : all) {
      const auto found = static_cast<std::int64_t>(met.failures.size());
      guide_.counts().judged += found;
      guide_.counts().found += found;
      for (Failure& failure : met.failures) {
        failure.index = batch.first;
        failure.earlier.clear();
        failure.beside_stream = true;
        investigator_.investigate(*met.state, std::move(failure));
      }
      // No case of the stream says what its worker was given.
      met.state->subject.runner->restart();
      met.state->forget_calls();
    }
  }

  /// The first cases from `from` on that are this shard's and that a subject still lacks.
  std::optional<Stretch> next_stretch(const std::vector<SubjectState*>& group, std::uint64_t from,
                                      std::uint64_t end) const {
    if (std::ranges::all_of(group, &SubjectState::stopped)) return std::nullopt;
    const Shard& shard = options_.shard;
    for (std::uint64_t at = shard.next_owned(from); at < end; at = shard.next_owned(at)) {
      Stretch stretch{at, shard.end_of(at, end), {}};
      for (SubjectState* state : group) {
        if (state->stopped) continue;
        const bool done = state->done.contains(at);
        if (!done) stretch.subjects.push_back(state);
        stretch.end =
            std::min(stretch.end, done ? state->done.end_of(at) : state->done.next_from(at).value_or(end));
      }
      if (!stretch.subjects.empty()) return stretch;
      at = stretch.end;
    }
    return std::nullopt;
  }

  /// Of the cases that a subject is through with and that were not counted before.
  void count_triggers_of(const Work& work, DrawnCases& latest) {
    for (std::size_t i = 0; i < work.batch.cases.size(); ++i) {
      const std::uint64_t index = work.batch.first + i;
      const bool done = std::ranges::any_of(
          work.subjects, [&](const SubjectState* state) { return state->latest.cases.contains(index); });
      if (!done || drawn_.cases.contains(index)) continue;
      latest.cases.add(index, index + 1);
      if (work.batch.outlines.contains(i)) continue;
      const std::vector<std::string> hit = entry_.generator->triggers_hit(work.batch.cases[i]);
      for (const std::string& trigger : hit) ++latest.triggers[trigger];
      if (options_.guided_share > 0) guide_.note_hit(hit);
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
    Progress progress{done, investigator_.size(), watch_.seconds(), activity, judged};
    for (const Canary& canary : canaries_.all()) {
      if (canary.is_right()) continue;
      ++progress.canaries;
      if (canary.found > 0) ++progress.canaries_found;
    }
    progress.never_reached = trigger_classes_ - std::min(trigger_classes_, drawn_.triggers.size());
    listener_.on_progress(progress);
  }

  const BlockEntry& entry_;
  const SessionOptions options_;
  Listener& listener_;
  SessionJournal* journal_;
  Investigator investigator_;
  Canaries canaries_;
  Guide guide_;
  double guided_seconds_ = 0;  ///< of this sitting
  double batch_seconds_ = 0;   ///< of the last batch, without what its failures took
  std::deque<SubjectState> states_;
  SessionReport report_;
  DrawnCases drawn_;
  const std::size_t trigger_classes_ = entry_.generator->triggers().size();
  Stopwatch watch_;
};

}  // namespace

SessionReport fuzz(const BlockEntry& entry, std::vector<SubjectSpec> subjects, const SessionOptions& options,
                   Listener& listener, SessionJournal* journal) {
  return Session(entry, std::move(subjects), options, listener, journal).run();
}

}  // namespace deformdiff
