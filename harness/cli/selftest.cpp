// Faults and controls of every block, and attacks on the harness: detection power, false alarms, sharpness.
#include "catalog/catalog.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/selftest/attacks.h"
#include "cli/selftest/measurement.h"
#include "cli/selftest/text.h"
#include "engine/stopwatch.h"
#include "reports/layout.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// The last attack spoils nothing.
std::vector<std::string> failures_of(const std::vector<AttackResult>& attacks) {
  std::vector<std::string> failures;
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    const bool spoils = i + 1 < attacks.size();
    if (spoils == !attacks[i].noticed.empty()) continue;
    failures.push_back(spoils ? fmt::format("{} is not noticed", attacks[i].name) : attacks[i].noticed);
  }
  return failures;
}

void write_other_reports(const Options& options, RunReport& report) {
  Options others = options;
  std::erase_if(others.reports, [](const ReportTarget& target) {
    return target.kind == "terminal" && target.file.empty();  // what was printed is that
  });
  write_reports(others, report);
}

}  // namespace

int run_selftest(const Options& options) {
  const Stopwatch watch;
  std::vector<BlockMeasurement> measurements;
  std::vector<std::string> failures;
  RunReport report;
  for (const BlockEntry& entry : blocks()) {
    if (!options.blocks.empty() &&
        std::ranges::find(options.blocks, entry.block->name()) == options.blocks.end())
      continue;
    BlockMeasurement& measured = measurements.emplace_back(measure(options, entry, plan_of(options, entry)));
    say(options, faults_text(measured));
    std::ranges::move(failures_of(entry, measured), std::back_inserter(failures));
    for (const FaultResult& fault : measured.faults) report.session.canaries.push_back(fault.first_seed);
  }
  say(options, "\n" + classes_text(measurements) + "\n" + right_text(measurements) + "\n" +
                   sharpness_text(measurements) + "\n");
  const std::vector<AttackResult> attacks = attack(options, blocks().front());
  say(options, attacks_text(attacks) + "\n");
  std::ranges::move(failures_of(attacks), std::back_inserter(failures));
  for (BlockMeasurement& measured : measurements) append(report.session, std::move(measured.right));
  for (const std::string& failure : failures) say(options, wrapped("FAILED: ", failure, 2));
  if (failures.empty()) say(options, fmt::format("The self-test is green, in {:.0f} s.\n", watch.seconds()));
  report.session.seconds = watch.seconds();
  report.exit_code = failures.empty() ? 0 : 1;
  write_other_reports(options, report);
  return report.exit_code;
}

}  // namespace deformdiff::cli
