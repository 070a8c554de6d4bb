// A self-test for people, at most 80 columns wide.
#pragma once

#include "cli/selftest/attacks.h"
#include "cli/selftest/measurement.h"

#include <string>
#include <vector>

namespace deformdiff::cli {

/// A line for each fault that did not get its due verdict in every seed.
std::string faults_text(const BlockMeasurement& measurement);

/// A line for each class of faults, over all blocks.
std::string classes_text(const std::vector<BlockMeasurement>& measurements);

/// A line for each block: right code, its judged cases, false alarms and their 95 % limit, error / bound.
std::string right_text(const std::vector<BlockMeasurement>& measurements);

std::string sharpness_text(const std::vector<BlockMeasurement>& measurements);

std::string attacks_text(const std::vector<AttackResult>& attacks);

}  // namespace deformdiff::cli
