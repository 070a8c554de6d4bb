#include "engine/journal/sum_of_runs.h"

#include "engine/journal/filing.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// A block as one run saw it.
struct Share {
  const RunRecord* run;
  const BlockOfRun* block;
};

/// Cases of one implementation as one run wrote them down.
struct Claim {
  const RunRecord* run;
  const CountedCases* counted;

  bool judged() const {
    return std::ranges::any_of(counted->counts.verdicts, [](const auto& entry) {
      return entry.first != Verdict::kNotRun && entry.second > 0;
    });
  }
};

/// By the run's id: the order of the journals is nobody's.
Filing filing_of(std::vector<Share> shares) {
  std::ranges::stable_sort(shares, {}, [](const Share& share) { return share.run->id; });
  std::vector<const BlockOfRun*> blocks;
  for (const Share& share : shares) blocks.push_back(share.block);
  return Filing(blocks);
}

/// One block over all runs.
class BlockSum {
 public:
  BlockSum(std::string block, std::vector<Share> shares, const std::filesystem::path& folder, Shard part)
      : block_(std::move(block)),
        shares_(std::move(shares)),
        folder_(folder),
        part_(part),
        filing_(filing_of(shares_)) {}

  SessionReport report(std::vector<std::string>& notes) {
    SessionReport report;
    for (const std::string& subject : subjects()) report.subjects.push_back(sum_of(subject, notes));
    add_drawn(report);
    add_findings(report);
    add_canaries(report);
    add_guided(report);
    for (const Share& share : shares_) report.seconds += share.block->block.seconds;
    return report;
  }

 private:
  std::vector<std::string> subjects() const {
    std::vector<std::string> names;
    for (const Share& share : shares_) {
      for (const std::string& name : share.block->order) {
        if (std::ranges::find(names, name) == names.end()) names.push_back(name);
      }
    }
    return names;
  }

  /// Those that judged before those that could not run, large ones before small ones.
  std::vector<Claim> claims_of(const std::string& subject) const {
    std::vector<Claim> claims;
    for (const Share& share : shares_) {
      const auto found = share.block->counted.find(subject);
      if (found == share.block->counted.end()) continue;
      for (const CountedCases& counted : found->second) {
        if (!counted.cases.empty()) claims.push_back({share.run, &counted});
      }
    }
    std::ranges::stable_sort(claims, [](const Claim& a, const Claim& b) {
      const auto rank = [](const Claim& claim) {
        return std::tuple(!claim.judged(),
                          std::numeric_limits<std::uint64_t>::max() - claim.counted->cases.size(),
                          claim.counted->cases.ranges().begin()->first);
      };
      return std::tuple(rank(a), a.run->id) < std::tuple(rank(b), b.run->id);
    });
    return claims;
  }

  SubjectReport sum_of(const std::string& subject, std::vector<std::string>& notes) {
    SubjectReport sum;
    sum.name = subject;
    sum.block = block_;
    CaseRanges taken, twice, lost, elsewhere;
    for (const Claim& claim : claims_of(subject)) {
      const CaseRanges& cases = claim.counted->cases;
      CaseRanges again = cases;
      CaseRanges fresh = cases;
      fresh.remove(taken);
      again.remove(fresh);
      if (again.empty()) {
        take(claim, sum);
      } else if (!claim.judged()) {
        elsewhere.add(again);
        take_not_run(claim, fresh.size(), sum);
      } else {
        twice.add(again);
        lost.add(fresh);
        continue;
      }
      taken.add(fresh);
    }
    for (const Share& share : shares_) {
      const auto record = share.block->subjects.find(subject);
      if (record == share.block->subjects.end()) continue;
      // What ran says more of itself than what could not.
      if (sum.info.name.empty() || !sum.info.not_run.empty()) sum.info = record->second.info;
      sum.workers = sum.workers.value_or(0) + record->second.workers;
    }
    say(notes, subject, elsewhere, "could not be run on one machine and were on another");
    say(notes, subject, twice, "were run more than once and are counted once");
    lost.remove(taken);
    say(notes, subject, lost, "are left out: they were counted together with cases of another run");
    say(notes, subject, missing(taken, lost), "are missing");
    return sum;
  }

  void take(const Claim& claim, SubjectReport& sum) {
    add(sum, claim.counted->counts);
    for (const auto& [id, cases] : claim.counted->failures) failures_[filing_.finding_of(id)] += cases;
  }

  /// All have one verdict, and so can be cut.
  static void take_not_run(const Claim& claim, std::uint64_t fresh, SubjectReport& sum) {
    const auto cases = static_cast<std::int64_t>(fresh);
    if (cases == 0) return;
    sum.cases += cases;
    sum.verdicts[Verdict::kNotRun] += cases;
    const auto& reasons = claim.counted->counts.not_judged;
    if (!reasons.empty()) sum.not_judged[reasons.begin()->first] += cases;
  }

  /// Of the cases that all shards together were to do; of a run by time, the holes.
  CaseRanges missing(const CaseRanges& taken, const CaseRanges& lost) const {
    CaseRanges wanted;
    constexpr auto kUnlimited = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    for (const Share& share : shares_) {
      if (share.block->block.cases < kUnlimited) wanted.add(0, share.block->block.cases);
    }
    if (wanted.empty() && !taken.empty()) wanted.add(0, taken.ranges().rbegin()->second);
    wanted.remove(taken);
    wanted.remove(lost);
    const CaseRanges all = wanted;
    for (const auto& [first, end] : all.ranges()) {
      for (std::uint64_t c = first; c < end; c = (c / kShardCases + 1) * kShardCases) {
        if (!part_.owns(c)) wanted.remove(c, (c / kShardCases + 1) * kShardCases);
      }
    }
    return wanted;
  }

  void say(std::vector<std::string>& notes, const std::string& subject, const CaseRanges& cases,
           const char* what) const {
    if (cases.empty()) return;
    constexpr std::size_t kLongest = 60;
    std::string ranges = text_of(cases);
    if (ranges.size() > kLongest) ranges = ranges.substr(0, ranges.rfind(',', kLongest)) + ",...";
    notes.push_back(
        fmt::format("{} of {}: cases {} ({} in all) {}", block_, subject, ranges, cases.size(), what));
  }

  void add_drawn(SessionReport& report) const {
    CaseRanges taken;
    for (const Share& share : shares_) {
      for (const DrawnCases& drawn : share.block->drawn) {
        add(report.split, drawn.split);
        if (drawn.cases.overlaps(taken)) continue;
        taken.add(drawn.cases);
        for (const auto& [trigger, cases] : drawn.triggers) report.triggers[trigger] += cases;
      }
    }
  }

  void add_guided(SessionReport& report) const {
    GuidedStream sum;
    sum.block = block_;
    for (const Share& share : shares_) add(sum, share.block->block.guided);
    if (sum.cases > 0) report.guided = {sum};
  }

  void add_canaries(SessionReport& report) const {
    for (const Share& share : shares_) {
      for (const Canary& canary : share.block->canaries) {
        const auto known = std::ranges::find(report.canaries, canary.name, &Canary::name);
        if (known == report.canaries.end()) {
          report.canaries.push_back(canary);
        } else {
          add(*known, canary);
        }
      }
    }
  }

  /// Of findings of one name the smaller case stays.
  void add_findings(SessionReport& report) const {
    for (const Share& share : shares_) {
      for (const FindingRecord& record : share.block->findings) {
        Finding finding = record.finding;
        if (!filing_.has(finding.case_path.stem().string())) continue;
        finding.case_path = folder_ / "findings" / finding.case_path;
        if (finding.not_saved.empty() && !std::filesystem::exists(finding.case_path)) {
          finding.not_saved = "its file was moved or removed";
        }
        const auto known = std::ranges::find(report.findings, finding.case_path, &Finding::case_path);
        if (known == report.findings.end()) {
          report.findings.push_back(std::move(finding));
          continue;
        }
        const std::uint64_t first = std::min(known->first_case, finding.first_case);
        if (finding.shrunk_elements < known->shrunk_elements) *known = std::move(finding);
        known->first_case = first;
      }
    }
    for (Finding& finding : report.findings) {
      const auto found = failures_.find(finding.case_path.stem().string());
      finding.count = found == failures_.end() ? 0 : found->second;
    }
  }

  std::string block_;
  std::vector<Share> shares_;
  std::filesystem::path folder_;
  Shard part_;
  Filing filing_;
  std::map<std::string, std::int64_t> failures_;  ///< by finding
};

}  // namespace

SumOfRuns sum_of_runs(const std::vector<JournalledRun>& runs, const std::filesystem::path& folder,
                      Shard part) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<Share>> shares;
  SumOfRuns sum;
  for (const JournalledRun& run : runs) {
    for (const auto& [block, of_run] : run.blocks) {
      if (!shares.contains(block)) order.push_back(block);
      shares[block].push_back({&run.run, &of_run});
    }
    sum.session.environment.insert(run.run.environment.begin(), run.run.environment.end());
  }
  for (const std::string& block : order) {
    append(sum.session, BlockSum(block, shares[block], folder, part).report(sum.notes));
  }
  sum.session.seconds = 0;
  for (const JournalledRun& run : runs) sum.session.seconds += run.run.seconds;
  return sum;
}

SessionReport report_of(const std::string& block, const BlockOfRun& of_run,
                        const std::filesystem::path& folder) {
  const RunRecord alone;
  std::vector<std::string> ignored;
  return BlockSum(block, {{&alone, &of_run}}, folder, {}).report(ignored);
}

}  // namespace deformdiff
