#include "blocks/attribute_rules.h"

#include "core/error.h"

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

struct Range {
  double least, most;
  bool whole;
  double multiple = 1;
};

constexpr double kMany = 1 << 20;
constexpr double kLarge = 1e30;  // float32 can hold it, and its inverse

/// Layers and levels are few: every one of them is a dozen tensors by name.
const std::map<std::string, Range>& ranges() {
  static const std::map<std::string, Range> table{
      {"num_heads", {1, kMany, true}},
      {"num_points", {1, kMany, true}},
      {"num_levels", {1, 256, true}},
      {"num_encoder_layers", {1, 1000, true}},
      {"num_decoder_layers", {0, 1000, true}},
      {"group_norm_groups", {1, kMany, true}},
      {"num_position_features", {2, kMany, true, 2}},
      {"im2col_step", {1, 0x1p31, true}},
      {"batch_first", {0, 1, true}},
      {"residual_inside", {0, 1, true}},
      {"pre_norm", {0, 1, true}},
      {"gelu", {0, 1, true}},
      {"position_normalize", {0, 1, true}},
      {"bits", {32, 64, true, 32}},
      {"eps", {0, kLarge, false}},
      {"mask_threshold", {0, 1, false}},
      {"position_temperature", {1 / kLarge, kLarge, false}},
      {"position_scale", {-kLarge, kLarge, false}},
      {"position_eps", {0, kLarge, false}},
      {"position_offset", {-kLarge, kLarge, false}},
  };
  return table;
}

std::string wanted(const Range& range) {
  const std::string kind = range.whole ? "a whole number" : "a number";
  const std::string multiple = range.multiple != 1 ? fmt::format(" divisible by {}", range.multiple) : "";
  return fmt::format("{} from {} to {}{}", kind, range.least, range.most, multiple);
}

}  // namespace

void check_attributes(const Block& block, const Attributes& attributes) {
  const Attributes known = block.default_attributes();
  std::vector<std::string> missing, unknown;
  for (const auto& [name, value] : known) {
    if (!attributes.contains(name)) missing.push_back(name);
  }
  for (const auto& [name, value] : attributes) {
    if (!known.contains(name)) unknown.push_back(name);
  }
  if (!missing.empty()) {
    throw InputError(fmt::format("block {}: attributes missing: {}", block.name(), fmt::join(missing, ", ")));
  }
  if (!unknown.empty()) {
    throw InputError(fmt::format("block {}: attributes that it does not have: {}", block.name(),
                                 fmt::join(unknown, ", ")));
  }
  for (const auto& [name, value] : attributes) {
    const auto found = ranges().find(name);
    DEFORMDIFF_CHECK(found != ranges().end());
    const Range& range = found->second;
    const bool fits = value >= range.least && value <= range.most &&
                      (!range.whole || std::trunc(value) == value) &&
                      (range.multiple == 1 || std::fmod(value, range.multiple) == 0);
    if (!fits) {
      throw InputError(
          fmt::format("block {}: attribute '{}' is {}, {} wanted", block.name(), name, value, wanted(range)));
    }
  }
}

}  // namespace deformdiff
