// A long run in which one case of a hundred kills, blocks or confuses its worker: every other case is judged
// as without them.
#include "worker/mishaps_test.h"

#include "blocks/ms_deform_attn.h"
#include "core/test_folder.h"
#include "engine/judge.h"
#include "engine/session.h"
#include "engine/worker_process.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/shrinks.h"
#include "oracles/operations/operations.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

const BlockEntry& entry() {
  static const BlockEntry entry{&ms_deform_attn::block(), operation_oracle, &ms_deform_attn::generator(),
                                ms_deform_attn::shrink_stream};
  return entry;
}

SubjectSpec from_library(const std::string& name) {
  const std::string address = std::string(DEFORMDIFF_MISHAPS_LIBRARY) + "#" + name;
  fork_workers_of({DEFORMDIFF_WORKER});
  return {name, {{DEFORMDIFF_WORKER, "--operator", address}, address}, {}, {}};
}

Mishap planted_in(const Case& c) {
  const Tensor& location = c.input("sampling_loc");
  if (location.elements() == 0) return Mishap::kNone;
  const std::size_t size = size_of(location.dtype());
  const auto first = location.storage().subspan(static_cast<std::size_t>(location.offset()) * size, size);
  return mishap_of({location.dim(0), location.dim(1), location.dim(2)}, first);
}

Verdict verdict_of(Mishap mishap) {
  switch (mishap) {
    case Mishap::kHang:
      return Verdict::kTimedOut;
    case Mishap::kOutOfMemory:
      return Verdict::kThrew;
    default:
      return Verdict::kCrashed;
  }
}

TEST(Mishaps, EveryOtherCaseIsJudgedAsWithoutThem) {
  SessionOptions options;
  const TestFolder folder;
  options.out = folder.path();
  options.seed = 5;
  options.cases = 1000;
  options.shrink = false;
  options.memory_limit = std::int64_t{1} << 30;
  options.limits.memory_bytes = std::int64_t{4} << 30;
  options.limits.case_timeout_seconds = 5;
  Listener silent;
  const SessionReport without = fuzz(entry(), {from_library("without_mishaps")}, options, silent);
  EXPECT_TRUE(without.findings.empty()) << without.findings.front().one_line;

  // What the mishaps are instead of.
  std::map<Verdict, std::int64_t> wanted = without.subjects.front().verdicts;
  std::set<Mishap> met;
  std::int64_t planted = 0;
  Subject subject = open_subject(from_library("without_mishaps"), options.limits);
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(options.cases); ++i) {
    const Case c = entry().generator->generate(stream_of(options), i);
    const Mishap mishap = planted_in(c);
    if (mishap == Mishap::kNone) continue;
    met.insert(mishap);
    ++planted;
    --wanted[judge_case(subject, entry(), c, {}, {}).comparison.verdict];
    ++wanted[verdict_of(mishap)];
  }
  std::erase_if(wanted, [](const auto& each) { return each.second == 0; });
  ASSERT_EQ(met.size(), 5U) << "each kind must be met: choose another seed";
  EXPECT_GE(planted, 8);

  const SessionReport with = fuzz(entry(), {from_library("with_mishaps")}, options, silent);
  EXPECT_EQ(with.subjects.front().verdicts, wanted);
  std::int64_t counted = 0;
  for (const Finding& finding : with.findings) counted += finding.count;
  EXPECT_EQ(counted, planted);
}

}  // namespace
}  // namespace deformdiff
