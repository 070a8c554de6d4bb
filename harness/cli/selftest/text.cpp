#include "cli/selftest/text.h"

#include "reports/canaries.h"
#include "reports/layout.h"
#include "reports/summary.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// The middle of sorted numbers, the lower one of two.
template <typename Number>
Number median(std::vector<Number> numbers) {
  std::ranges::sort(numbers);
  return numbers.empty() ? Number{} : numbers[(numbers.size() - 1) / 2];
}

/// Of one class.
struct Detection {
  std::int64_t faults = 0, due = 0, runs = 0, missed = 0;
  std::vector<std::uint64_t> cases;  ///< until it was found, counted from 1
  std::vector<std::int64_t> shrunk;  ///< elements of smallest cases
};

}  // namespace

std::string faults_text(const BlockMeasurement& measurement) {
  std::string text;
  for (const FaultResult& fault : measurement.faults) {
    const auto missed = std::ranges::count_if(fault.cases, [](const auto& first) { return !first; });
    if (fault.first_seed.got_what_is_due() && missed == 0) continue;
    text +=
        wrapped("  ",
                fmt::format("{}: {} is due, {} found; missed on {} of {} seeds", fault.first_seed.name,
                            fault.first_seed.expected, fault.first_seed.got(), missed, fault.cases.size()),
                4);
  }
  const auto due = std::ranges::count_if(
      measurement.faults, [](const FaultResult& fault) { return fault.first_seed.got_what_is_due(); });
  return fmt::format("{}: {} of {} faults got the verdict that is due\n{}", measurement.block, due,
                     measurement.faults.size(), text);
}

std::string classes_text(const std::vector<BlockMeasurement>& measurements) {
  std::map<std::string, Detection> classes;
  for (const BlockMeasurement& measurement : measurements) {
    for (const FaultResult& fault : measurement.faults) {
      Detection& of = classes[fault.fault_class];
      ++of.faults;
      of.due += fault.first_seed.got_what_is_due() ? 1 : 0;
      for (const auto& first : fault.cases) {
        ++of.runs;
        if (first) of.cases.push_back(*first + 1);
        of.missed += first ? 0 : 1;
      }
      if (fault.shrunk_elements > 0) of.shrunk.push_back(fault.shrunk_elements);
    }
  }
  std::string text = fmt::format("{:<12} {:>12} {:>14} {:>16} {:>18}\n", "faults", "caught", "missed runs",
                                 "cases until", "shrunk to");
  text += fmt::format("{:<12} {:>12} {:>14} {:>8} {:>7} {:>9} {:>8}\n", "of class", "", "over seeds",
                      "median", "most", "median", "most");
  for (const auto& [name, of] : classes) {
    const std::uint64_t most = of.cases.empty() ? 0 : std::ranges::max(of.cases);
    const std::int64_t largest = of.shrunk.empty() ? 0 : std::ranges::max(of.shrunk);
    text += fmt::format(
        "{:<12} {:>12} {:>14} {:>8} {:>7} {:>9} {:>8}\n", name, fmt::format("{} of {}", of.due, of.faults),
        fmt::format("{} of {}", of.missed, of.runs), median(of.cases), most, median(of.shrunk), largest);
  }
  return text;
}

std::string right_text(const std::vector<BlockMeasurement>& measurements) {
  std::string text = fmt::format("{:<23} {:>5} {:>8} {:>6} {:>9} {:>7} {:>7} {:>7}\n", "right code", "count",
                                 "judged", "alarms", "95% limit", "median", "p99", "max");
  for (const BlockMeasurement& measurement : measurements) {
    RatioHistogram ratios;
    for (const SubjectReport& subject : measurement.right.subjects) ratios.add(subject.ratios);
    const Tally tally = tally_of(measurement.right);
    text += fmt::format("{:<23} {:>5} {:>8} {:>6} {:>9.2g} {:>7.2g} {:>7.2g} {:>7.2g}\n", measurement.block,
                        measurement.right.subjects.size(), tally.judged(), tally.found,
                        upper_limit(tally.found, tally.judged()), ratios.quantile(0.5), ratios.quantile(0.99),
                        ratios.max());
  }
  return text + "(the last three: error / bound of its elements)\n";
}

std::string sharpness_text(const std::vector<BlockMeasurement>& measurements) {
  std::string text = fmt::format("{:<23} {:<12} {:<8} {:>6} {:>14} {:>10}\n", "relative error found", "tier",
                                 "dtype", "cases", "in every case", "in half");
  for (const BlockMeasurement& measurement : measurements) {
    for (const Sharpness& row : measurement.sharpness) {
      text += fmt::format("{:<23} {:<12} {:<8} {:>6} {:>14} {:>10}\n", measurement.block, row.tier,
                          name_of(row.dtype), row.cases,
                          row.always > 1 ? "none" : fmt::format("{:.0e}", row.always),
                          row.mostly > 1 ? "none" : fmt::format("{:.0e}", row.mostly));
    }
  }
  return text;
}

std::string attacks_text(const std::vector<AttackResult>& attacks) {
  std::string text = "What is spoiled in the harness, and how the self-test notices it:\n";
  for (const AttackResult& attack : attacks) {
    text += fmt::format("  {}:\n", attack.name);
    text += wrapped("    ", attack.noticed.empty() ? "all is well" : attack.noticed, 6);
  }
  return text;
}

}  // namespace deformdiff::cli
