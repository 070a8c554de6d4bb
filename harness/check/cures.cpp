#include "check/cures.h"

#include "catalog/addresses.h"
#include "cli/session_options.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

constexpr int kCalls = 5;

/// Shortest of a few calls, in seconds.
std::optional<double> seconds_of(const Options& options, const BlockEntry& entry, const Case& c,
                                 const std::string& subject_name) {
  Subject subject = open_subject(parse_subject(subject_name), run_limits_of(options));
  if (!subject.started() || admit(subject.info, entry, c, kMemoryLimit).kind != Outcome::Kind::kReturned) {
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

std::vector<std::string> cures_for(const Options& options, const BlockEntry& entry, const Case& c,
                                   double module_seconds) {
  const auto composite = seconds_of(options, entry, c, "composite"),
             registered = seconds_of(options, entry, c, "cpu");
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

}  // namespace deformdiff::cli
