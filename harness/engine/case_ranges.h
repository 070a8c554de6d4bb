// Sets of cases by their index, as ranges.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace deformdiff {

/// Disjoint ranges first .. end-1, of which no two touch.
class CaseRanges {
 public:
  /// Adds first .. end-1; parts of it may be there already. Nothing where end <= first.
  void add(std::uint64_t first, std::uint64_t end);
  void add(const CaseRanges& other);
  void remove(std::uint64_t first, std::uint64_t end);
  void remove(const CaseRanges& other);

  bool empty() const { return ranges_.empty(); }
  bool contains(std::uint64_t index) const { return end_of(index) != index; }
  bool overlaps(const CaseRanges& other) const;
  std::uint64_t size() const;

  /// End of the range that holds the case; the index itself where none does.
  std::uint64_t end_of(std::uint64_t index) const;

  /// First case from `index` on that is in the set.
  std::optional<std::uint64_t> next_from(std::uint64_t index) const;

  /// Ends by their firsts, ascending.
  const std::map<std::uint64_t, std::uint64_t>& ranges() const { return ranges_; }

  friend bool operator==(const CaseRanges&, const CaseRanges&) = default;

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;
};

/// "0-63,128-191,200": first and last of each range; empty for none.
std::string text_of(const CaseRanges& ranges);

/// Reads text_of(). Throws InputError for anything else.
CaseRanges parse_case_ranges(std::string_view text);

}  // namespace deformdiff
