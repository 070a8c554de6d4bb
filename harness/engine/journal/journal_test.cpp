// Runs that are killed, gone on with, cut into shards and merged: scripted implementations, no process dies.
#include "engine/journal/journal.h"

#include "core/error.h"
#include "engine/journal/merge.h"
#include "engine/journal/session_journal.h"
#include "engine/journal/sum_of_runs.h"
#include "engine/scripted_session_test.h"
#include "engine/session.h"

#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Ends the program at a moment: what is thrown is caught by nobody but the test.
struct Killed {};

class JournalTest : public ScriptedSessionTest {
 protected:
  JournalTest() { options_.cases = 300; }

  /// Wrong for some numbers, an exception for others, a refusal for others still.
  static Outcome answer(const Case& c) {
    for (const float number : numbers_of(c)) {
      if (std::fmod(number, 70.0F) == 20) return outcome_of(Outcome::Kind::kThrew, "twenty");
      if (std::fmod(number, 30.0F) == 17) return outcome_of(Outcome::Kind::kUnsupported, "seventeen");
    }
    return thirds(c, [](float number) { return std::fmod(number, 50.0F) == 13; });
  }

  std::filesystem::path folder(const std::string& name) const { return options_.out / name; }

  /// A sitting in which the subject ends the program at its `dies_at`-th call; never for 0.
  SessionReport sit(const std::string& name, bool resume, std::int64_t dies_at = 0, Shard shard = {},
                    const std::string& subject = "subject") {
    std::int64_t calls = 0;
    ScriptedSubject scripted("third", [&](const Case& c, std::span<const Case>) {
      if (++calls == dies_at) throw Killed();
      return answer(c);
    });
    ScriptedSubject fault("third", [](const Case& c, std::span<const Case>) {
      return thirds(c, [](float number) { return number == 10; });  // as case 0 has
    });
    ScriptedSubject right("third", [](const Case& c, std::span<const Case>) { return thirds(c); });
    SessionOptions options = options_;
    if (canaries_) {
      options.canaries = {canary(fault, "fault", "out_of_bound"), canary(right, "right", "agree")};
    }
    options.out = folder(name);
    options.shard = shard;
    RunRecord record;
    record.stream = {options.seed, options.tiers, options.only};
    record.shard = shard;
    RunJournal run =
        resume ? RunJournal::resume(options.out, record) : RunJournal::begin(options.out, record);
    SessionJournal journal(run, third(), options);
    SessionReport report = fuzz(third(), {scripted.spec(subject)}, options, listener_, &journal);
    run.finish();
    return report;
  }

  static CanarySpec canary(ScriptedSubject& subject, const std::string& name, const std::string& expected) {
    CanarySpec made{subject.spec(name), {}, 100};
    made.info.name = name;
    made.info.expected = expected;
    return made;
  }

  bool canaries_ = false;

  SessionReport read(const std::string& name) const {
    return sum_of_runs(read_journal(folder(name)), folder(name)).session;
  }
};

void expect_same(const SessionReport& a, const SessionReport& b) {
  ASSERT_EQ(a.subjects.size(), b.subjects.size());
  for (std::size_t i = 0; i < a.subjects.size(); ++i) {
    const SubjectReport& one = a.subjects[i];
    const SubjectReport& other = b.subjects[i];
    EXPECT_EQ(one.name, other.name);
    EXPECT_EQ(one.cases, other.cases);
    EXPECT_EQ(one.verdicts, other.verdicts);
    EXPECT_EQ(one.not_judged, other.not_judged);
    EXPECT_EQ(one.ratios.counts(), other.ratios.counts());
    EXPECT_EQ(one.ratios.max(), other.ratios.max());
    EXPECT_EQ(one.first_finding_case, other.first_finding_case);
  }
  EXPECT_EQ(a.triggers, b.triggers);
  ASSERT_EQ(a.findings.size(), b.findings.size());
  for (std::size_t i = 0; i < a.findings.size(); ++i) {
    EXPECT_EQ(a.findings[i].signature, b.findings[i].signature);
    EXPECT_EQ(a.findings[i].count, b.findings[i].count);
    EXPECT_EQ(a.findings[i].first_case, b.findings[i].first_case);
    EXPECT_EQ(a.findings[i].shrunk_elements, b.findings[i].shrunk_elements);
    EXPECT_EQ(a.findings[i].one_line, b.findings[i].one_line);
  }
}

TEST_F(JournalTest, TellsWhatTheRunCameTo) {
  const SessionReport run = sit("run", false);
  ASSERT_FALSE(run.findings.empty());
  expect_same(read("run"), run);
}

TEST_F(JournalTest, KilledAndResumedIsTheSame) {
  const SessionReport whole = sit("whole", false);
  EXPECT_THROW(sit("killed", false, 5), Killed);
  for (const std::int64_t dies_at : {1, 40, 130, 77}) EXPECT_THROW(sit("killed", true, dies_at), Killed);
  const SessionReport resumed = sit("killed", true);
  expect_same(resumed, whole);
  expect_same(read("killed"), whole);
}

void expect_same(const std::vector<Canary>& a, const std::vector<Canary>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_EQ(a[i].block, b[i].block);
    EXPECT_EQ(a[i].expected, b[i].expected);
    EXPECT_EQ(a[i].enough, b[i].enough);
    EXPECT_EQ(a[i].cases, b[i].cases);
    EXPECT_EQ(a[i].judged, b[i].judged);
    EXPECT_EQ(a[i].reached, b[i].reached);
    EXPECT_EQ(a[i].found, b[i].found);
    EXPECT_EQ(a[i].verdict, b[i].verdict);
    EXPECT_EQ(a[i].seconds, b[i].seconds);
  }
}

TEST_F(JournalTest, KeepsTheCanaries) {
  canaries_ = true;
  EXPECT_THROW(sit("run", false, 150), Killed);
  const std::vector<Canary> before = read("run").canaries;
  ASSERT_EQ(before.size(), 2U);
  EXPECT_EQ(before[0].block, "third");
  const std::vector<Canary> after = sit("run", true).canaries;
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(after[0].found, 1);
  EXPECT_GE(after[1].judged, before[1].judged);
  expect_same(read("run").canaries, after);
  merge({folder("run")}, folder("merged"));
  expect_same(read("merged").canaries, after);
}

TEST_F(JournalTest, KeepsTheGuidedStream) {
  options_.guided_share = 0.5;
  EXPECT_THROW(sit("run", false, 250), Killed);
  const SessionReport before = read("run");
  const SessionReport run = sit("run", true);
  ASSERT_EQ(run.guided.size(), 1U);
  ASSERT_EQ(before.guided.size(), 1U);
  EXPECT_GE(run.guided[0].cases, before.guided[0].cases);
  EXPECT_EQ(sit("run", true).guided[0].cases, run.guided[0].cases) << "there was nothing left to do";
  merge({folder("run")}, folder("merged"));
  for (const char* name : {"run", "merged"}) {
    const SessionReport kept = read(name);
    ASSERT_EQ(kept.guided.size(), 1U);
    EXPECT_EQ(kept.guided[0].block, "third");
    EXPECT_EQ(kept.guided[0].cases, run.guided[0].cases);
    EXPECT_EQ(kept.guided[0].judged, run.guided[0].judged);
    EXPECT_EQ(kept.guided[0].found, run.guided[0].found);
    EXPECT_EQ(kept.guided[0].pairs, run.guided[0].pairs);
    EXPECT_EQ(kept.guided[0].climbs, run.guided[0].climbs);
    EXPECT_EQ(kept.guided[0].seconds, run.guided[0].seconds);
    EXPECT_EQ(kept.subjects[0].cases, 300);
  }
}

TEST_F(JournalTest, ADeathCostsOneBatch) {
  EXPECT_THROW(sit("killed", false, 250), Killed);
  const std::vector<JournalledRun> runs = read_journal(folder("killed"));
  const BlockOfRun& block = runs.front().blocks.front().second;
  const CaseRanges& begun = block.begun.at("subject");
  EXPECT_LE(begun.size(), kBatchCases);
  CaseRanges done;
  for (const CountedCases& part : block.counted.at("subject")) done.add(part.cases);
  EXPECT_FALSE(done.overlaps(begun));
  EXPECT_EQ(done.end_of(0), begun.ranges().begin()->first);
}

TEST_F(JournalTest, MoreCasesGoOnWhereItEnded) {
  options_.cases = 100;
  sit("run", false);
  options_.cases = 300;
  const SessionReport more = sit("run", true);
  expect_same(more, sit("whole", false));
}

TEST_F(JournalTest, ResumeRefusesAnotherStream) {
  sit("run", false);
  options_.seed = 4;
  EXPECT_THROW(sit("run", true), InputError);
  options_.seed = 3;
  EXPECT_THROW(sit("run", true, 0, {0, 2}), InputError);
  EXPECT_THROW(sit("nothing", true), InputError);
}

TEST_F(JournalTest, ShardsMergedAreTheWhole) {
  const SessionReport whole = sit("whole", false);
  for (std::uint64_t i = 0; i < 3; ++i) sit("shard" + std::to_string(i), false, 0, {i, 3});
  merge({folder("shard2"), folder("shard0"), folder("shard1"), folder("shard0")}, folder("merged"));
  merge({folder("shard0"), folder("merged"), folder("shard1")}, folder("again"));
  for (const char* name : {"merged", "again"}) {
    const SumOfRuns sum = sum_of_runs(read_journal(folder(name)), folder(name));
    EXPECT_TRUE(sum.notes.empty()) << sum.notes.front();
    ASSERT_EQ(sum.session.subjects.size(), 1U);
    EXPECT_EQ(sum.session.subjects[0].verdicts, whole.subjects[0].verdicts);
    EXPECT_EQ(sum.session.subjects[0].ratios.counts(), whole.subjects[0].ratios.counts());
    EXPECT_EQ(sum.session.triggers, whole.triggers);
    std::map<Signature, std::int64_t> counts, wanted;
    for (const Finding& finding : sum.session.findings) {
      counts[finding.signature] = finding.count;
      EXPECT_TRUE(std::filesystem::exists(finding.case_path)) << finding.case_path;
    }
    for (const Finding& finding : whole.findings) wanted[finding.signature] = finding.count;
    EXPECT_EQ(counts, wanted);
  }
}

TEST_F(JournalTest, MergeNamesWhatIsMissingAndWhatIsTwice) {
  sit("first", false, 0, {0, 2});
  merge({folder("first")}, folder("half"));
  const SumOfRuns half = sum_of_runs(read_journal(folder("half")), folder("half"));
  ASSERT_EQ(half.notes.size(), 1U);
  EXPECT_NE(half.notes[0].find("cases 64-127,192-255 (128 in all) are missing"), std::string::npos)
      << half.notes[0];

  sit("whole", false);
  merge({folder("first"), folder("whole")}, folder("both"));
  const SumOfRuns both = sum_of_runs(read_journal(folder("both")), folder("both"));
  ASSERT_EQ(both.notes.size(), 1U);
  EXPECT_NE(both.notes[0].find("counted once"), std::string::npos) << both.notes[0];
  EXPECT_EQ(both.session.subjects[0].cases, 300);
}

TEST_F(JournalTest, MergeRefusesAnotherStream) {
  sit("one", false);
  options_.seed = 4;
  sit("other", false);
  EXPECT_THROW(merge({folder("one"), folder("other")}, folder("merged")), InputError);
}

TEST_F(JournalTest, ASecondProcessIsRefused) {
  const Journal first = Journal::create(folder("run"));
  try {
    Journal::open(folder("run"));
    FAIL() << "two journals of one folder";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("process " + std::to_string(::getpid())), std::string::npos)
        << error.what();
  }
}

TEST_F(JournalTest, ANewRunKeepsTheJournalBefore) {
  sit("run", false);
  sit("run", false);
  EXPECT_TRUE(std::filesystem::exists(folder("run") / "journal.previous.sqlite"));
  EXPECT_EQ(read("run").subjects[0].cases, 300);
}

TEST_F(JournalTest, ARemovedJournalEndsTheRun) {
  Journal journal = Journal::create(folder("run"));
  journal.write_run({});
  std::filesystem::remove(journal_path(folder("run")));
  EXPECT_THROW(journal.write_run({}), JournalError);
}

TEST_F(JournalTest, AFolderThatCannotBeMade) {
  std::filesystem::create_directories(options_.out);
  std::ofstream(folder("file")) << "no folder";
  EXPECT_THROW(Journal::create(folder("file") / "run"), JournalError);
}

TEST_F(JournalTest, RefusesWhatIsNone) {
  std::filesystem::create_directories(folder("run"));
  EXPECT_THROW(read_journal(folder("run")), InputError);
  std::ofstream(journal_path(folder("run"))) << "no database";
  EXPECT_THROW(read_journal(folder("run")), InputError);
}

}  // namespace
}  // namespace deformdiff
