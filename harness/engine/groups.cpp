#include "engine/groups.h"

#include "core/case_file.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <ranges>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// Elements of the largest original that is run.
constexpr std::int64_t kLargestOriginal = std::int64_t{1} << 18;

/// Originals from which a failure must have vanished to tell it from one that did not: one may be chance.
constexpr std::int64_t kTellingCases = 2;

/// Trigger classes that a name tells of, and cases below which what they all hit is chance.
constexpr std::size_t kToldTriggers = 2;
constexpr std::int64_t kCasesForTriggers = 3;

using Members = std::vector<const AblatedFinding*>;

bool vanishes(const AblatedFinding& finding, std::size_t with) {
  return finding.failure.effects[with] == Effect::kVanishes;
}

bool surely_vanishes(const AblatedFinding& finding, std::size_t with) {
  return vanishes(finding, with) && finding.failure.cases[with] >= kTellingCases;
}

bool fails(const AblatedFinding& finding, std::size_t with) {
  return finding.failure.effects[with] == Effect::kFails;
}

/// The first thing that makes one vanish and not the other.
std::optional<std::size_t> separating(const AblatedFinding& a, const AblatedFinding& b) {
  for (std::size_t i = 0; i < a.failure.effects.size(); ++i) {
    if (surely_vanishes(a, i) && fails(b, i)) return i;
    if (surely_vanishes(b, i) && fails(a, i)) return i;
  }
  return std::nullopt;
}

/// What makes all of them vanish, the simplest first.
std::vector<std::size_t> shared(const Members& members) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < members.front()->failure.effects.size(); ++i) {
    if (std::ranges::all_of(members, [&](const auto* each) { return vanishes(*each, i); })) all.push_back(i);
  }
  return all;
}

bool nothing_helps(const AblatedFinding& finding) {
  return finding.failure.plainest == Effect::kFails;
}

/// What makes all of them vanish together, but not alone; empty if nothing.
std::vector<std::size_t> shared_together(const Members& members) {
  const std::vector<std::size_t>& set = members.front()->failure.together.things;
  const bool same =
      std::ranges::all_of(members, [&](const auto* each) { return each->failure.together.things == set; });
  return same ? set : std::vector<std::size_t>{};
}

bool belongs(const AblatedFinding& finding, Members members) {
  const bool apart =
      std::ranges::any_of(members, [&](const auto* each) { return separating(*each, finding).has_value(); });
  if (apart) return false;
  members.push_back(&finding);
  return std::ranges::all_of(members, [](const auto* each) { return nothing_helps(*each); }) ||
         !shared(members).empty() || !shared_together(members).empty();
}

class Namer {
 public:
  Namer(std::span<AblatedFinding> findings, const std::vector<std::string>& words,
        const std::vector<TriggerClass>& triggers, const DrawnCases& drawn)
      : findings_(findings), words_(words), triggers_(triggers), drawn_(drawn) {}

  void name(const Members& members) const {
    const std::optional<std::string> what = shared_fate(members);
    if (!what) return;
    const std::string who = members.size() == 2 ? "Both" : fmt::format("All {}", members.size());
    const std::string text = fmt::format("{} {}{}.", who, *what, told_triggers(members));
    for (const AblatedFinding* each : members) each->finding->group = text;
  }

 private:
  /// "vanish with one level, tried on 6 of their cases". Nothing where words do not tell them from others.
  std::optional<std::string> shared_fate(const Members& members) const {
    const std::vector<std::size_t> with = shared(members);
    if (with.empty()) return fate_without_any_alone(members);
    const auto own = std::ranges::find_if(with, [&](std::size_t i) { return !rival(members, i); });
    const std::size_t chosen = own != with.end() ? *own : with.front();
    std::string text = "vanish with " + words_[chosen];
    if (own == with.end()) {
      const auto differs = separating(*members.front(), *rival(members, chosen));
      if (!differs) return std::nullopt;
      const bool here = std::ranges::any_of(members, [&](auto* each) { return vanishes(*each, *differs); });
      text += (here ? " and with " : ", not with ") + words_[*differs];
    }
    if (words_[chosen] == kNoEarlierCalls) return text;
    std::int64_t cases = 0;
    for (const AblatedFinding* each : members) cases += each->failure.cases[chosen];
    if (cases == 0) return text + ", tried on their smallest cases alone";
    return text + fmt::format(", tried on {} of their cases", cases);
  }

  std::string fate_without_any_alone(const Members& members) const {
    const std::vector<std::size_t> together = shared_together(members);
    if (together.empty()) return "fail even on the plainest cases, with all taken away that can be";
    std::vector<std::string> words;
    for (const std::size_t thing : together) words.push_back(words_[thing]);
    std::int64_t cases = 0;
    for (const AblatedFinding* each : members) cases += each->failure.together.cases;
    return fmt::format("vanish with {}, all at once and none alone, tried on {} of their cases",
                       fmt::join(words, " and "), cases);
  }

  /// Another finding that vanishes with it.
  const AblatedFinding* rival(const Members& members, std::size_t with) const {
    for (const AblatedFinding& each : findings_) {
      if (std::ranges::find(members, &each) == members.end() && vanishes(each, with)) return &each;
    }
    return nullptr;
  }

  /// Classes that all of their cases hit and most of the cases that fail in no way do not, the rarest first.
  std::string told_triggers(const Members& members) const {
    std::int64_t cases = 0;
    for (const AblatedFinding* each : members) cases += each->finding->count;
    if (cases < kCasesForTriggers) return "";
    std::vector<std::pair<double, std::string>> told;
    for (const TriggerClass& trigger : triggers_) {
      const bool always = std::ranges::all_of(members, [&](const AblatedFinding* each) {
        return hits(*each->finding, trigger.name) == each->finding->count;
      });
      const double share = share_of_passing(trigger.name);
      if (!always || share >= 0.5) continue;
      told.emplace_back(share, fmt::format("{} ({})", trigger.name, trigger.description));
    }
    std::ranges::stable_sort(told, {}, &std::pair<double, std::string>::first);
    if (told.size() > kToldTriggers) told.resize(kToldTriggers);
    std::vector<std::string> names;
    for (auto& [share, name] : told) names.push_back(std::move(name));
    return names.empty() ? "" : fmt::format(": their cases hit {}", fmt::join(names, " and "));
  }

  static std::int64_t hits(const Finding& finding, const std::string& trigger) {
    const auto found = finding.triggers.find(trigger);
    return found == finding.triggers.end() ? 0 : found->second;
  }

  /// 1 where no case passed.
  double share_of_passing(const std::string& trigger) const {
    auto passing = static_cast<std::int64_t>(drawn_.cases.size());
    const auto found = drawn_.triggers.find(trigger);
    std::int64_t hitting = found == drawn_.triggers.end() ? 0 : found->second;
    for (const AblatedFinding& each : findings_) {
      passing -= each.finding->count;
      hitting -= hits(*each.finding, trigger);
    }
    return passing <= 0 ? 1 : static_cast<double>(hitting) / static_cast<double>(passing);
  }

  std::span<AblatedFinding> findings_;
  const std::vector<std::string>& words_;
  const std::vector<TriggerClass>& triggers_;
  const DrawnCases& drawn_;
};

std::vector<Finding*> of_group(std::span<const AblatedFinding> findings, const std::string& text) {
  std::vector<Finding*> members;
  for (const AblatedFinding& each : findings) {
    if (each.finding->group == text) members.push_back(each.finding);
  }
  return members;
}

/// Where a finding could not be tried on what the others of a group have in common, it stands with them if it
/// vanishes with something that one of them vanishes with and nothing tells it from any.
void join_linked(std::span<AblatedFinding> findings, const std::vector<std::string>& words) {
  for (AblatedFinding& lone : findings) {
    if (!lone.finding->group.empty() || !lone.finding->excused_by.empty()) continue;
    for (const AblatedFinding& other : findings) {
      const std::string before = other.finding->group;
      if (before.empty()) continue;
      const auto link = std::ranges::find_if(std::views::iota(std::size_t{0}, words.size()),
                                             [&](auto i) { return vanishes(lone, i) && vanishes(other, i); });
      const bool apart = std::ranges::any_of(findings, [&](const AblatedFinding& each) {
        return each.finding->group == before && separating(each, lone).has_value();
      });
      if (*link == words.size() || apart) continue;
      std::vector<Finding*> members = of_group(findings, before);
      members.push_back(lone.finding);
      const std::string text = fmt::format(
          "{} One more vanishes with {}, as others of them do, and nothing that was tried tells it apart.",
          before, words[*link]);
      for (Finding* finding : members) finding->group = text;
      break;
    }
  }
}

/// Where nothing tells it from the finding while shrinking which it was met, it stands with that one.
void join_met_while_shrinking(std::span<AblatedFinding> findings) {
  for (AblatedFinding& other : findings) {
    std::vector<Finding*> met;
    for (const AblatedFinding& each : findings) {
      const bool joins = each.met_while == other.finding && each.finding->group.empty() &&
                         each.finding->excused_by.empty() && other.finding->excused_by.empty();
      if (joins && !separating(each, other)) met.push_back(each.finding);
    }
    if (met.empty()) continue;
    const std::string before = other.finding->group;
    const std::string text = fmt::format(
        "{}{} met while shrinking {}, and nothing that was tried tells them apart.",
        before.empty() ? "" : before + " ", met.size() == 1 ? "One was" : fmt::format("{} were", met.size()),
        before.empty() ? "the other" : "another");
    met.push_back(other.finding);
    if (!before.empty()) std::ranges::copy(of_group(findings, before), std::back_inserter(met));
    for (Finding* finding : met) finding->group = text;
  }
}

/// Null for what a case of the run shows.
const Finding* met_while_shrinking(const FindingBook& book, const Finding& finding) {
  if (finding.count > 0) return nullptr;
  for (const auto& [key, lead] : book.leads_of(finding)) {
    const Finding* const other = book.find(lead.origin.met_as);
    if (other != nullptr && other != &finding) return other;
  }
  return nullptr;
}

/// Nothing where there is none that fails alone and each time.
std::optional<Case> lone_case(const Finding& finding) {
  if (finding.earlier_calls > 0 || finding.reproduction_rate < 1) return std::nullopt;
  if (finding.smallest) return finding.smallest->problem;
  try {
    return read_case(finding.case_path).problem;
  } catch (const InputError&) {
    return std::nullopt;
  }
}

/// The smallest first.
std::vector<Case> originals_of(const Finding& finding, const BlockEntry& entry,
                               const SessionOptions& options) {
  std::vector<Case> originals;
  for (const std::uint64_t index : finding.cases) {
    Case original = entry.generator->generate(stream_of(options), index);
    if (element_count(original) <= kLargestOriginal) originals.push_back(std::move(original));
  }
  std::ranges::stable_sort(originals, {}, [](const Case& c) { return element_count(c); });
  return originals;
}

}  // namespace

void name_groups(std::span<AblatedFinding> findings, const std::vector<std::string>& words,
                 const std::vector<TriggerClass>& triggers, const DrawnCases& drawn) {
  std::vector<Members> groups;
  for (const AblatedFinding& finding : findings) {
    const auto home =
        std::ranges::find_if(groups, [&](const Members& members) { return belongs(finding, members); });
    if (home == groups.end()) {
      groups.push_back({&finding});
    } else {
      home->push_back(&finding);
    }
  }
  const Namer namer(findings, words, triggers, drawn);
  for (const Members& members : groups) {
    const bool all_excused =
        std::ranges::none_of(members, [](const auto* each) { return each->finding->excused_by.empty(); });
    if (members.size() > 1 && !all_excused) namer.name(members);
  }
  join_linked(findings, words);
  join_met_while_shrinking(findings);
}

void group_findings(FindingBook& book, SubjectState& state, const BlockEntry& entry,
                    const SessionOptions& options, const DrawnCases& drawn) {
  const std::vector<Finding*> findings = book.of_subject(state.report.name);
  for (Finding* finding : findings) finding->group.clear();
  if (findings.size() < 2 || !state.subject.started()) return;

  const Deadline end = options.limits.end.within(options.shrink_budget_seconds);
  const Ablations ablations = ablations_of(entry);
  const JudgeOptions judge{options.threads, options.memory_limit};
  Ablator ablator(
      ablations,
      [&](const Case& c) { return judge_case(state.subject, entry, c, {}, judge).comparison.verdict; }, end);
  std::vector<std::string> words;
  for (const Ablation& ablation : ablations) words.push_back(ablation.words);
  words.emplace_back(kNoEarlierCalls);

  std::vector<AblatedFinding> ablated;
  for (Finding* finding : findings) {
    AblatedFailure failure;
    const bool hangs = finding->signature.rule == name_of(Verdict::kTimedOut);
    const std::optional<Case> smallest = hangs ? std::nullopt : lone_case(*finding);
    if (smallest) {
      state.subject.runner->restart();
      failure = ablator.ablate({*smallest, originals_of(*finding, entry, options)});
    }
    failure.effects.resize(words.size());
    failure.cases.resize(words.size());
    if (finding->earlier_calls > 0) {
      failure.effects.back() = Effect::kVanishes;
      failure.cases.back() = kTellingCases;  // its confirmation ran it without, again and again
    }
    if (smallest) failure.effects.back() = Effect::kFails;
    ablated.push_back({finding, std::move(failure), met_while_shrinking(book, *finding)});
  }
  std::vector<Together*> sets;
  for (AblatedFinding& each : ablated) {
    if (!each.failure.together.things.empty()) sets.push_back(&each.failure.together);
  }
  ablator.share_sets(sets);
  if (options.limits.end.passed()) return;
  name_groups(ablated, words, entry.generator->triggers(), drawn);
}

}  // namespace deformdiff
