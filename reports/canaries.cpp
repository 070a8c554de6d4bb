#include "reports/canaries.h"

#include "reports/layout.h"
#include "reports/tally.h"

#include <cmath>
#include <map>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Of at most `events` in `cases`, each of probability `rate`.
double probability(std::int64_t events, std::int64_t cases, double rate) {
  double sum = 0;
  const auto n = static_cast<double>(cases);
  for (std::int64_t i = 0; i <= events; ++i) {
    const auto k = static_cast<double>(i);
    const double choices = std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
    sum += std::exp(choices + k * std::log(rate) + (n - k) * std::log1p(-rate));
  }
  return sum;
}

}  // namespace

std::vector<DetectionPower> detection_power(const std::vector<Canary>& canaries) {
  std::map<std::string, DetectionPower> powers;
  for (const Canary& canary : canaries) {
    if (canary.is_right()) continue;
    DetectionPower& power = powers[canary.expected];
    power.expected = canary.expected;
    ++(canary.found > 0 ? power.found : canary.survived() ? power.survived : power.open);
  }
  std::vector<DetectionPower> list;
  for (auto& [expected, power] : powers) list.push_back(std::move(power));
  return list;
}

FalseAlarms false_alarms(const SessionReport& session) {
  FalseAlarms sum;
  for (const Canary& canary : session.canaries) {
    if (!canary.is_right()) continue;
    sum.cases += canary.judged;
    sum.alarms += canary.found;
  }
  for (const SubjectReport& subject : session.subjects) {
    const Tally tally = tally_of(subject);
    if (tally.found == 0) sum.cases += tally.agree;
  }
  sum.limit = upper_limit(sum.alarms, sum.cases);
  return sum;
}

double upper_limit(std::int64_t events, std::int64_t cases) {
  if (events >= cases) return 1;
  constexpr double kRare = 0.05;
  double low = 0, high = 1;
  // Each step halves what is left; a double has no more than 53 bits in its fraction.
  constexpr int kSteps = 60;
  for (int step = 0; step < kSteps; ++step) {
    const double middle = (low + high) / 2;
    (probability(events, cases, middle) > kRare ? low : high) = middle;
  }
  return high;
}

std::vector<std::string> canary_failures(const std::vector<Canary>& canaries) {
  std::vector<std::string> sentences;
  for (const Canary& canary : canaries) {
    if (canary.survived()) {
      sentences.push_back(fmt::format(
          "the canary {} of {} survived {}, {} of which could show it: the run may miss what is like it",
          canary.name, canary.block, counted(static_cast<std::int64_t>(canary.cases.size()), "case"),
          canary.reached));
    }
    if (canary.was_blamed()) {
      sentences.push_back(fmt::format(
          "{} of {}, which is right, was blamed in {} of {} ({}): what the run found may be false",
          canary.name, canary.block, canary.found, counted(canary.judged, "case"), canary.verdict));
    }
  }
  return sentences;
}

std::string canaries_text(const SessionReport& session) {
  if (session.canaries.empty()) return "";
  std::string text =
      fmt::format("\n{:<28} {:>7} {:>9} {:>9}\n", "canaries, by verdict due", "found", "survived", "not yet");
  for (const DetectionPower& power : detection_power(session.canaries)) {
    text +=
        fmt::format("{:<28} {:>7} {:>9} {:>9}\n", power.expected, power.found, power.survived, power.open);
  }
  const FalseAlarms alarms = false_alarms(session);
  return text + wrapped("",
                        fmt::format("{} in {} of right code: below {:.2g} % with 95 % confidence.",
                                    counted(alarms.alarms, "false alarm"),
                                    counted(alarms.cases, "judged case"), 100 * alarms.limit),
                        0);
}

}  // namespace deformdiff
