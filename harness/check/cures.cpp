#include "check/cures.h"

#include "catalog/addresses.h"
#include "engine/subject.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace deformdiff {
namespace {

constexpr int kCalls = 5;

/// Shortest of a few calls, in seconds.
std::optional<double> seconds_of(const CheckRequest& request, const BlockEntry& entry, const Case& c,
                                 const std::string& subject_name) {
  Subject subject = open_subject(parse_subject(subject_name), request.limits);
  if (!subject.started() ||
      admit(subject.info, *entry.block, c, request.memory_limit).kind != Outcome::Kind::kReturned) {
    return std::nullopt;
  }
  std::optional<double> shortest;
  for (int i = 0; i < kCalls; ++i) {
    const Outcome outcome = subject.runner->run({&c, 1}, {}).front();
    if (outcome.kind != Outcome::Kind::kReturned) return std::nullopt;
    shortest = std::min(shortest.value_or(outcome.seconds), outcome.seconds);
  }
  return shortest;
}

}  // namespace

std::vector<std::string> cures_for(const CheckRequest& request, const BlockEntry& entry, const Case& c,
                                   double module_seconds) {
  const auto composite = seconds_of(request, entry, c, "composite"),
             registered = seconds_of(request, entry, c, "cpu");
  if (!composite || !registered) return {};
  return {
      fmt::format(
          "Either export over the pure PyTorch path (grid_sample), which every tracer sees: {:.3g} ms a call "
          "here;",
          1e3 * *composite),
      fmt::format(
          "or register the kernel with the dispatcher (TORCH_LIBRARY), so that the trace holds one call of "
          "it: {:.3g} ms a call here. The module as it is: {:.3g} ms.",
          1e3 * *registered, 1e3 * module_seconds)};
}

}  // namespace deformdiff
