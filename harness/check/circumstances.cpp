#include "check/cause.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// How much larger numbers have to be to be another kind of input.
constexpr double kLarger = 8;

struct InputRange {
  double largest = 0;  ///< magnitude of a finite element
  bool nonfinite = false;
};

InputRange range_of(const Tensor& tensor) {
  InputRange range;
  const Tensor dense = tensor.contiguous();
  for (std::int64_t i = 0; i < dense.elements(); ++i) {
    const double value = dense.element(i);
    if (std::isfinite(value)) {
      range.largest = std::max(range.largest, std::abs(value));
    } else {
      range.nonfinite = true;
    }
  }
  return range;
}

class Circumstances {
 public:
  Circumstances(const std::vector<Replay>& replays, const BlockDefinition& block) {
    for (const Replay& replay : replays) {
      if (replay.fails()) {
        failing_.push_back({&replay, {}, {}});
      } else if (replay.outcome.kind == Outcome::Kind::kReturned) {
        passing_.push_back({&replay, {}, {}});
      }
    }
    for (auto* side : {&failing_, &passing_}) {
      for (Seen& seen : *side) look(block, seen);
    }
  }

  std::vector<std::string> say() const {
    if (failing_.empty() || passing_.empty()) return {};
    std::vector<std::string> what = extents();
    std::ranges::move(inputs(), std::back_inserter(what));
    std::vector<std::string> lines;
    if (!what.empty()) lines.push_back(fmt::format("Wrong only where {}.", fmt::join(what, ", ")));
    lines.push_back(fmt::format("Wrong in {}; right in {}.", names(failing_), names(passing_)));
    return lines;
  }

 private:
  struct Seen {
    const Replay* replay;
    Extents extents;
    std::map<std::string, InputRange> inputs;
  };

  static void look(const BlockDefinition& block, Seen& seen) {
    seen.extents = block.dimensions(seen.replay->problem);
    for (const NamedTensor& input : seen.replay->problem.inputs) {
      if (!is_parameter(input.name)) seen.inputs.emplace(input.name, range_of(input.tensor));
    }
  }

  static std::string names(const std::vector<Seen>& side) {
    std::vector<std::string> names;
    for (const Seen& seen : side) names.push_back(seen.replay->name);
    return fmt::format("{}", fmt::join(names, ", "));
  }

  static std::set<std::int64_t> values(const std::vector<Seen>& side, const std::string& extent) {
    std::set<std::int64_t> values;
    for (const Seen& seen : side) {
      if (const auto found = seen.extents.find(extent); found != seen.extents.end())
        values.insert(found->second);
    }
    return values;
  }

  /// Sizes that no replay has that agrees.
  std::vector<std::string> extents() const {
    std::vector<std::string> lines;
    for (const auto& [extent, value] : failing_.front().extents) {
      if (extent == "N" && failing_.front().extents.contains("B")) continue;  // the batch by its other name
      const std::set<std::int64_t> wrong = values(failing_, extent), right = values(passing_, extent);
      std::set<std::int64_t> both;
      std::ranges::set_intersection(wrong, right, std::inserter(both, both.end()));
      if (!both.empty() || right.empty()) continue;
      lines.push_back(
          fmt::format("{} is {} (right at {})", extent, fmt::join(wrong, ", "), fmt::join(right, ", ")));
    }
    return lines;
  }

  /// Inputs that no replay has such that agrees.
  std::vector<std::string> inputs() const {
    std::vector<std::string> lines;
    for (const auto& [name, range] : failing_.front().inputs) {
      if (const std::string line = input(name); !line.empty()) lines.push_back(line);
    }
    return lines;
  }

  std::string input(const std::string& name) const {
    const std::vector<InputRange> wrong = ranges(failing_, name), right = ranges(passing_, name);
    if (wrong.size() < failing_.size()) return "";
    if (right.empty()) return name + " is given";
    if (std::ranges::all_of(wrong, &InputRange::nonfinite) &&
        std::ranges::none_of(right, &InputRange::nonfinite)) {
      return name + " holds NaN or infinities";
    }
    const double least = std::ranges::min(wrong, {}, &InputRange::largest).largest,
                 most = std::ranges::max(right, {}, &InputRange::largest).largest;
    if (least <= kLarger * most) return "";
    if (most == 0) return name + " is not 0 (or false) throughout";
    return fmt::format("{} is as large as {:.3g} (right up to {:.3g})", name, least, most);
  }

  static std::vector<InputRange> ranges(const std::vector<Seen>& side, const std::string& name) {
    std::vector<InputRange> ranges;
    for (const Seen& seen : side) {
      if (const auto found = seen.inputs.find(name); found != seen.inputs.end())
        ranges.push_back(found->second);
    }
    return ranges;
  }

  std::vector<Seen> failing_, passing_;
};

}  // namespace

std::vector<std::string> circumstances(const std::vector<Replay>& replays, const BlockDefinition& block) {
  return Circumstances(replays, block).say();
}

}  // namespace deformdiff
