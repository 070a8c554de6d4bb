// Sizes that meet conditions: chosen as they are drawn, so that hardly a case is drawn in vain.
#pragma once

#include "core/conditions.h"
#include "generators/common/draw.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deformdiff {

/// The largest size that conditions are met with.
constexpr std::int64_t kLargestSize = std::int64_t{1} << 20;

class SizeChoice {
 public:
  SizeChoice() = default;
  /// Throws InputError for what is no condition. A size may have a second name: it is known by the other.
  explicit SizeChoice(const std::string& conditions, const std::map<std::string, std::string>& names = {});

  bool any() const { return !conditions_.empty(); }
  bool names(const std::string& size) const;
  bool admits(const std::string& size, std::int64_t value) const;

  /// Whether all conditions hold; one on a size that is not there does not.
  bool admits(const std::map<std::string, std::int64_t>& sizes) const;

  /// `drawn` if no condition on that size speaks against it, otherwise one of the nearest sizes from `least`
  /// to `most` that are admitted. Throws InputError where there is none.
  std::int64_t fit(const std::string& size, std::int64_t drawn, std::int64_t least, std::int64_t most,
                   Draw& draw) const;

  /// The largest size from 1 on that is admitted. Throws InputError where there is none.
  std::int64_t largest(const std::string& size) const;

  /// How many levels there may be: each has one of the S pixels at least. Throws as largest() does.
  std::int64_t most_levels() const { return names("S") ? largest("S") : kLargestSize; }

  /// Throws InputError for a condition on a size that is not among `known`.
  void check_names(const std::string& block, const std::vector<std::string>& known) const;

  /// As they were written.
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::vector<Condition> conditions_;
};

/// A map's sides.
struct Sides {
  std::int64_t height, width;
};

/// Makes maps of `pixels` pixels in all from `maps`, which are at most as many: the first ones are halved
/// until there is room, the last takes the rest.
void fill_pixels(std::vector<Sides>& maps, std::int64_t pixels);

}  // namespace deformdiff
