#include "generators/common/size_choice.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// Sizes to choose among, so that a condition does not make all cases alike.
constexpr std::size_t kNearest = 4;

std::int64_t pixels_of(const Sides& map) {
  return map.height * map.width;
}

}  // namespace

SizeChoice::SizeChoice(const std::string& conditions, const std::map<std::string, std::string>& names)
    : text_(conditions), conditions_(parse_conditions(conditions)) {
  for (Condition& condition : conditions_) {
    const auto other = names.find(condition.name);
    if (other != names.end()) condition.name = other->second;
  }
}

bool SizeChoice::names(const std::string& size) const {
  return std::ranges::find(conditions_, size, &Condition::name) != conditions_.end();
}

bool SizeChoice::admits(const std::string& size, std::int64_t value) const {
  return std::ranges::all_of(conditions_, [&](const Condition& condition) {
    return condition.name != size || condition.holds(value);
  });
}

bool SizeChoice::admits(const std::map<std::string, std::int64_t>& sizes) const {
  return std::ranges::all_of(conditions_, [&](const Condition& condition) {
    const auto found = sizes.find(condition.name);
    return found != sizes.end() && condition.holds(found->second);
  });
}

std::int64_t SizeChoice::fit(const std::string& size, std::int64_t drawn, std::int64_t least,
                             std::int64_t most, Draw& draw) const {
  if (admits(size, drawn)) return drawn;
  std::vector<std::int64_t> nearest;
  const std::int64_t middle = std::clamp(drawn, least, most);
  for (std::int64_t d = 0; nearest.size() < kNearest && (middle - d >= least || middle + d <= most); ++d) {
    if (middle - d >= least && admits(size, middle - d)) nearest.push_back(middle - d);
    if (d > 0 && middle + d <= most && admits(size, middle + d)) nearest.push_back(middle + d);
  }
  if (nearest.empty()) {
    throw InputError(fmt::format("--only {}: no {} from {} to {} meets it", text_, size, least, most));
  }
  return draw.one_of(nearest);
}

std::int64_t SizeChoice::largest(const std::string& size) const {
  std::int64_t value = kLargestSize;
  for (const Condition& condition : conditions_) {
    using enum Condition::Operator;
    const bool bounds =
        condition.symbol == kEqual || condition.symbol == kAtMost || condition.symbol == kBelow;
    if (condition.name == size && condition.divisor == 0 && bounds) value = std::min(value, condition.number);
  }
  for (; value > 0; --value) {
    if (admits(size, value)) return value;
  }
  throw InputError(fmt::format("--only {}: no {} from 1 to {} meets it", text_, size, kLargestSize));
}

void SizeChoice::check_names(const std::string& block, const std::vector<std::string>& known) const {
  for (const Condition& condition : conditions_) {
    if (std::ranges::find(known, condition.name) != known.end()) continue;
    throw InputError(fmt::format("--only {}: block {} has no size '{}'; it has: {}", text_, block,
                                 condition.name, fmt::join(known, ", ")));
  }
}

void fill_pixels(std::vector<Sides>& maps, std::int64_t pixels) {
  std::int64_t before = 0;
  for (std::size_t m = 0; m + 1 < maps.size(); ++m) {
    // Every map after this one needs a pixel.
    const std::int64_t room = pixels - before - static_cast<std::int64_t>(maps.size() - 1 - m);
    while (pixels_of(maps[m]) > std::max<std::int64_t>(1, room / 2)) {
      std::int64_t& longer = maps[m].height > maps[m].width ? maps[m].height : maps[m].width;
      longer = longer / 2;
    }
    before += pixels_of(maps[m]);
  }
  const std::int64_t rest = pixels - before;
  std::int64_t height = static_cast<std::int64_t>(std::sqrt(static_cast<double>(rest)));
  while (rest % height != 0) --height;
  maps.back() = {height, rest / height};
}

}  // namespace deformdiff
