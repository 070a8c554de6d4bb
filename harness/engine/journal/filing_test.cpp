#include "engine/journal/filing.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

FindingKey key(const std::string& element_class, const std::string& excuse = "") {
  return {{"op", "subject", "out_of_bound", "output", element_class}, {excuse, false}, {}};
}

FindingRecord finding(const std::string& file, std::vector<KeyAndLead> leads) {
  FindingRecord record;
  record.finding.case_path = file + ".json";
  record.leads = std::move(leads);
  return record;
}

BlockOfRun run_of(std::vector<FindingRecord> findings) {
  BlockOfRun run;
  run.findings = std::move(findings);
  return run;
}

/// The first case under a key.
KeyAndLead met(const FindingKey& key, std::uint64_t index) {
  return {key, {{index, ""}, 0, index}};
}

/// What shrinking that case led to.
KeyAndLead shrunk_to(const FindingKey& key, std::uint64_t index, const FindingKey& from,
                     std::optional<std::uint64_t> first_case = {}) {
  return {key, {{index, finding_id(from)}, 0, first_case}};
}

Filing filing(const BlockOfRun& a, const BlockOfRun& b) {
  const BlockOfRun* const runs[] = {&a, &b};
  return Filing(runs);
}

TEST(Filing, TheEarlierCaseSaysWhereAKeyLeads) {
  const BlockOfRun early = run_of({finding("border", {met(key("border"), 4)})});
  const BlockOfRun late =
      run_of({finding("outside", {met(key("border"), 70), shrunk_to(key("outside"), 70, key("border"))})});
  for (const Filing& both : {filing(early, late), filing(late, early)}) {
    EXPECT_EQ(both.finding_of(finding_id(key("border"))), "border");
    EXPECT_TRUE(both.has("border"));
    EXPECT_FALSE(both.has("outside")) << "its case would not have been shrunk";
  }
}

TEST(Filing, WhatIsMetByItselfStays) {
  const BlockOfRun early = run_of({finding("border", {met(key("border"), 4)})});
  const BlockOfRun late = run_of(
      {finding("outside", {met(key("border"), 70), shrunk_to(key("outside"), 70, key("border"), 90)})});
  const Filing both = filing(early, late);
  EXPECT_EQ(both.finding_of(finding_id(key("border"))), "border");
  EXPECT_EQ(both.finding_of(finding_id(key("outside"))), "outside");
}

TEST(Filing, OneRunIsFiledAsItWas) {
  const BlockOfRun run =
      run_of({finding("outside", {met(key("border"), 7), shrunk_to(key("outside"), 7, key("border"), 90)}),
              finding("interior", {met(key("interior"), 9), met(key("interior", "deterministic=0"), 8)})});
  const BlockOfRun* const runs[] = {&run};
  const Filing alone(runs);
  EXPECT_EQ(alone.finding_of(finding_id(key("border"))), "outside");
  EXPECT_EQ(alone.finding_of(finding_id(key("outside"))), "outside");
  EXPECT_EQ(alone.finding_of(finding_id(key("interior"))), "interior");
  EXPECT_EQ(alone.finding_of("unheard of"), "unheard of");
}

/// A run asks for no excuse once it knows a failure of the same signature that has none.
TEST(Filing, NothingIsExcusedAfterAFailureThatIsNot) {
  const FindingKey excused = key("border", "level_start_index=ignored");
  const BlockOfRun early = run_of({finding("plain", {met(key("border"), 4)})});
  const BlockOfRun late = run_of({finding("excused", {met(excused, 70)})});
  const Filing both = filing(early, late);
  EXPECT_EQ(both.finding_of(finding_id(excused)), "plain");
  EXPECT_FALSE(both.has("excused"));

  const BlockOfRun earliest = run_of({finding("excused", {met(excused, 2)})});
  EXPECT_EQ(filing(early, earliest).finding_of(finding_id(excused)), "excused");
}

}  // namespace
}  // namespace deformdiff
