#include "cli/selftest/attacks.h"

#include "catalog/addresses.h"
#include "catalog/catalog.h"
#include "cli/selftest/measurement.h"

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <utility>

namespace deformdiff::cli {
namespace {

constexpr std::int64_t kFaultCases = 300, kRightCases = 60, kSharpnessCases = 40;

/// Of a wrong number, a wrong kind of number, and a small one.
const std::vector<std::string> kFaults{"fault/half_pixel", "fault/nan_location_spreads",
                                       "fault/tf32_weights"};

using Spoil = void (*)(OutputReference&);

/// The trusted oracle, whose answers are spoiled.
class SpoiledOracle : public Oracle {
 public:
  SpoiledOracle(const Oracle& oracle, Spoil spoil) : oracle_(oracle), spoil_(spoil) {}

  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    Reference reference = oracle_.evaluate(c, precision, contract, threads);
    for (OutputReference& output : reference.outputs) spoil_(output);
    return reference;
  }
  Explanation explain(const Case& c, const Precision& precision, const Contract& contract,
                      std::int64_t element) const override {
    return oracle_.explain(c, precision, contract, element);
  }
  std::vector<std::string> element_classes(const Case& c,
                                           std::span<const std::int64_t> elements) const override {
    return oracle_.element_classes(c, elements);
  }

 private:
  const Oracle& oracle_;
  Spoil spoil_;
};

void widen(OutputReference& output) {
  for (double& bound : output.bound) bound *= 1000;
}

/// As where the oracle is the implementation: whatever number that gives is right.
void follow(OutputReference& output) {
  for (double& bound : output.bound) bound = std::numeric_limits<double>::infinity();
}

void admit(std::uint8_t kinds, OutputReference& output) {
  if (output.admits.empty()) output.admits.assign(output.value.size(), kAdmitsFinite);
  for (std::uint8_t& set : output.admits) set |= kinds;
}

void skip(OutputReference& output) {
  admit(kAdmitsAnything, output);
}

void take_nan(OutputReference& output) {
  admit(kAdmitsNan, output);
}

/// The operator's oracles, spoiled; they live as long as the program.
template <Spoil spoil>
const Oracle& spoiled(const std::string& operation, DType dtype) {
  static std::map<std::pair<std::string, DType>, std::unique_ptr<const Oracle>> oracles;
  std::unique_ptr<const Oracle>& oracle = oracles[{operation, dtype}];
  if (oracle == nullptr) {
    oracle =
        std::make_unique<SpoiledOracle>(find_block("ms_deform_attn").operations(operation, dtype), spoil);
  }
  return *oracle;
}

struct Attack {
  const char* name;
  Operations operations;  ///< none: the block's own
  const char* missing;    ///< implementation that is not run; nullptr: none
};

constexpr Attack kAttacks[] = {{"an oracle that follows the implementation", spoiled<follow>, nullptr},
                               {"bounds times 1000", spoiled<widen>, nullptr},
                               {"a comparison that is skipped", spoiled<skip>, nullptr},
                               {"NaN taken for agreement", spoiled<take_nan>, nullptr},
                               {"an implementation that is missing", nullptr, "cpu"},
                               {"nothing", nullptr, nullptr}};

std::string first_failure(const Options& options, const BlockEntry& entry, const Attack& attack) {
  BlockEntry attacked = entry;
  if (attack.operations != nullptr) attacked.operations = attack.operations;
  MeasurementPlan plan;
  plan.faults = parse_subjects(kFaults);
  plan.right = parse_subjects({"cpu", "composite"});
  plan.fault_cases = kFaultCases;
  plan.right_cases = kRightCases;
  plan.sharpness_cases = kSharpnessCases;
  plan.shrink = false;
  MeasurementPlan run = plan;
  if (attack.missing != nullptr)
    std::erase_if(run.right, [&](const auto& s) { return s.name == attack.missing; });
  BlockMeasurement measurement = measure(options, attacked, run);
  measurement.absent = absent_from(plan, measurement);
  const std::vector<std::string> failures = failures_of(entry, measurement);
  return failures.empty() ? "" : failures.front();
}

}  // namespace

std::vector<AttackResult> attack(const Options& options, const BlockEntry& entry) {
  std::vector<AttackResult> results;
  for (const Attack& each : kAttacks) results.push_back({each.name, first_failure(options, entry, each)});
  return results;
}

}  // namespace deformdiff::cli
