#include "engine/journal/session_journal.h"

#include "core/error.h"
#include "engine/case_hash.h"
#include "engine/journal/sum_of_runs.h"
#include "engine/journal/text.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Cases after which a subject's part is full, and a new one begins.
constexpr std::uint64_t kPartCases = 1024;

/// Cases whose hashes are a stream's fingerprint.
constexpr std::uint64_t kFingerprintCases = 8;

std::string siblings_text(const std::set<Sibling>& siblings) {
  Json list = Json::array();
  for (const auto& [signature, tier, lacked] : siblings) list.push_back({json_of(signature), tier, lacked});
  return list.dump();
}

std::set<Sibling> siblings_from(const std::string& text) {
  std::set<Sibling> siblings;
  if (text.empty()) return siblings;
  for (const Json& each : Json::parse(text))
    siblings.emplace(signature_from(each.at(0)), each.at(1), each.at(2));
  return siblings;
}

/// By finding_id, over all of its parts.
std::map<std::string, std::int64_t> failures_of(const BlockOfRun& block) {
  std::map<std::string, std::int64_t> failures;
  for (const auto& [subject, parts] : block.counted) {
    for (const CountedCases& part : parts) {
      for (const auto& [id, cases] : part.failures) failures[id] += cases;
    }
  }
  return failures;
}

/// The case that is saved, unless its file is gone.
void read_smallest(Finding& finding) {
  try {
    finding.smallest->problem = read_case(finding.case_path).problem;
  } catch (const InputError&) {
    finding.smallest.reset();
  }
}

}  // namespace

std::string stream_fingerprint(const BlockEntry& entry, const StreamChoice& choice) {
  std::uint64_t hash = 0;
  for (std::uint64_t i = 0; i < kFingerprintCases; ++i) {
    // Of a case that may be too large to be drawn the sizes must do.
    const std::optional<Case> outline = entry.generator->outline(choice, i);
    const std::uint64_t each = content_hash(outline ? *outline : entry.generator->generate(choice, i));
    hash = hash_bytes(std::as_bytes(std::span(&each, 1)), hash);
  }
  return fmt::format("{:016x}", hash);
}

SessionJournal::SessionJournal(RunJournal& run, const BlockEntry& entry, const SessionOptions& options)
    : run_(run), block_(entry.block->name()), folder_(options.out / "findings") {
  record_.fingerprint = stream_fingerprint(entry, stream_of(options));
  record_.cases = static_cast<std::uint64_t>(options.cases);
  record_.guided.block = block_;
  const BlockOfRun* const earlier = run_.earlier(block_);
  if (earlier == nullptr) return;
  if (earlier->block.fingerprint != record_.fingerprint) {
    throw InputError(
        fmt::format("--resume: the generator of {} draws other cases now than when the run in {} was begun "
                    "(by {}); begin "
                    "anew, with another --out",
                    block_, options.out.string(), run_.run().version));
  }
  seconds_before_ = earlier->block.seconds;
  record_.guided = earlier->block.guided;
  record_.finished = earlier->block.finished && earlier->block.cases == record_.cases;
  // Parts of earlier sittings are left as they are.
  for (const auto& [subject, parts] : earlier->counted) parts_[subject].number = parts.size();
  drawn_number_ = earlier->drawn.size();
}

bool SessionJournal::is_finished(std::span<const SubjectSpec> subjects) const {
  const BlockOfRun* const earlier = run_.earlier(block_);
  return record_.finished && std::ranges::all_of(subjects, [&](const SubjectSpec& spec) {
           return earlier->subjects.contains(spec.name);
         });
}

SessionReport SessionJournal::earlier_report() const {
  const BlockOfRun* const earlier = run_.earlier(block_);
  return earlier == nullptr ? SessionReport() : report_of(block_, *earlier, folder_.parent_path());
}

void SessionJournal::take_up(std::deque<SubjectState>& states, Investigator& investigator,
                             DrawnCases& drawn) {
  const BlockOfRun* const earlier = run_.earlier(block_);
  if (earlier == nullptr) return;
  for (SubjectState& state : states) {
    const auto record = earlier->subjects.find(state.report.name);
    const auto counted = earlier->counted.find(state.report.name);
    if (record == earlier->subjects.end()) continue;
    state.take_up(record->second,
                  counted == earlier->counted.end() ? std::vector<CountedCases>() : counted->second);
  }
  for (const DrawnCases& part : earlier->drawn) {
    add(drawn, part);
  }
  counted_failures_ = failures_of(*earlier);
  for (FindingRecord record : earlier->findings) {
    Finding& finding = record.finding;
    finding.case_path = folder_ / finding.case_path;
    finding.count = 0;
    for (auto& [key, lead] : record.leads) {
      lead.count = counted_failures_[finding_id(key)];
      finding.count += lead.count;
    }
    if (finding.smallest) read_smallest(finding);
    investigator.book().restore(std::move(finding), record.leads);
  }
  investigator.take_up(siblings_from(earlier->block.siblings));
}

std::vector<Canary> SessionJournal::earlier_canaries() const {
  const BlockOfRun* const earlier = run_.earlier(block_);
  return earlier == nullptr ? std::vector<Canary>() : earlier->canaries;
}

void SessionJournal::write_canaries(std::span<const Canary> canaries) {
  run_.journal().in_one([&] {
    for (const Canary& canary : canaries) run_.journal().write_canary(run_.run().id, canary);
  });
}

GuidedStream SessionJournal::earlier_guided() const {
  return record_.guided;
}

void SessionJournal::write_guided(const GuidedStream& guided, const Investigator& investigator) {
  const bool failed = guided.found > record_.guided.found;
  record_.guided = guided;
  run_.journal().in_one([&] {
    if (failed) write_findings(investigator);
    write_block(investigator);
  });
}

void SessionJournal::begin(const Batch& batch, std::span<SubjectState* const> subjects) {
  CaseRanges cases;
  cases.add(batch.first, batch.first + batch.cases.size());
  run_.journal().in_one([&] {
    if (!begun_) run_.journal().write_block(run_.run().id, block_, record_);
    for (const SubjectState* state : subjects) {
      if (!begun_) run_.journal().write_subject(run_.run().id, block_, state->record());
      run_.journal().write_begun(run_.run().id, block_, state->report.name, cases);
    }
  });
  begun_ = true;
}

void SessionJournal::finish(std::span<SubjectState* const> subjects, const DrawnCases& drawn,
                            const Investigator& investigator) {
  bool failed = false;
  for (SubjectState* state : subjects) {
    CountedCases& part = parts_[state->report.name].counted;
    part.cases.add(state->latest.cases);
    add(part.counts, state->latest.counts);
    failed = failed || tally_of(state->latest.counts).found > 0;
  }
  add(drawn_, drawn);
  if (failed) note_failures(investigator);

  Journal& journal = run_.journal();
  const std::string& run = run_.run().id;
  journal.in_one([&] {
    for (SubjectState* state : subjects) {
      const std::string& name = state->report.name;
      const Part& part = parts_[name];
      journal.write_counted(run, block_, name, part.number, part.counted);
      journal.write_subject(run, block_, state->record());
      journal.write_begun(run, block_, name, {});
    }
    journal.write_drawn(run, block_, drawn_number_, drawn_);
    if (failed) write_findings(investigator);
    write_block(investigator);
  });
  turn_full_parts();
}

/// Which keys gained cases since they were last written down.
void SessionJournal::note_failures(const Investigator& investigator) {
  for (const Finding& finding : investigator.book().findings()) {
    for (const auto& [key, lead] : investigator.book().leads_of(finding)) {
      const std::string id = finding_id(key);
      std::int64_t& counted = counted_failures_[id];
      if (lead.count == counted) continue;
      parts_[finding.signature.subject].counted.failures[id] += lead.count - counted;
      counted = lead.count;
    }
  }
}

void SessionJournal::write_findings(const Investigator& investigator) {
  std::vector<FindingRecord> records;
  for (const Finding& finding : investigator.book().findings()) {
    records.push_back({finding, investigator.book().leads_of(finding)});
  }
  run_.journal().write_findings(run_.run().id, block_, records);
}

void SessionJournal::write_block(const Investigator& investigator) {
  record_.seconds = seconds_before_ + watch_.seconds();
  record_.siblings = siblings_text(investigator.siblings());
  run_.journal().write_block(run_.run().id, block_, record_);
  run_.note_time();
}

void SessionJournal::turn_full_parts() {
  for (auto& [subject, part] : parts_) {
    if (part.counted.cases.size() < kPartCases) continue;
    ++part.number;
    part.counted = {};
  }
  if (drawn_.cases.size() < kPartCases) return;
  ++drawn_number_;
  drawn_ = {};
}

void SessionJournal::close(const std::deque<SubjectState>& states, const Investigator& investigator,
                           bool finished) {
  record_.finished = finished;
  Journal& journal = run_.journal();
  const std::string& run = run_.run().id;
  journal.in_one([&] {
    for (const SubjectState& state : states) {
      const Part& part = parts_[state.report.name];
      journal.write_subject(run, block_, state.record());
      if (!part.counted.cases.empty()) {
        journal.write_counted(run, block_, state.report.name, part.number, part.counted);
      }
    }
    write_findings(investigator);
    write_block(investigator);
  });
}

}  // namespace deformdiff
