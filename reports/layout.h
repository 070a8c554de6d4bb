// Text for a terminal: tables and paragraphs of at most 80 columns.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

constexpr std::size_t kColumns = 80;

/// The text in lines of at most kColumns, broken at spaces; `first` stands before the first line, as many
/// spaces as `indent` before the others. Ends in a newline. A word that is too long stays whole.
std::string wrapped(std::string_view first, std::string_view text, std::size_t indent);

/// Names for the first column of a table. One that is longer than `width` is known there by the end of its
/// file name and a number, which the legend explains.
class ShortNames {
 public:
  ShortNames(const std::vector<std::string>& names, std::size_t width);

  const std::string& of(const std::string& name) const { return shown_.at(name); }
  std::size_t width() const { return width_; }  ///< of the longest that is shown

  /// A line a shortened name, "[1] the whole name"; empty if there is none.
  const std::string& legend() const { return legend_; }

 private:
  std::map<std::string, std::string> shown_;
  std::size_t width_ = 0;
  std::string legend_;
};

}  // namespace deformdiff
