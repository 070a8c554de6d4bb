#include "engine/case_ranges.h"

#include "core/comma_list.h"
#include "core/error.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

namespace deformdiff {
namespace {

std::uint64_t parse_index(std::string_view text, std::string_view whole) {
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw InputError(fmt::format("'{}': ranges of cases wanted, as in 0-63,128-191", whole));
  }
  return index;
}

}  // namespace

void CaseRanges::add(std::uint64_t first, std::uint64_t end) {
  if (end <= first) return;
  auto next = ranges_.upper_bound(first);
  if (next != ranges_.begin() && std::prev(next)->second >= first) --next;
  while (next != ranges_.end() && next->first <= end) {
    first = std::min(first, next->first);
    end = std::max(end, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace(first, end);
}

void CaseRanges::add(const CaseRanges& other) {
  for (const auto& [first, end] : other.ranges_) add(first, end);
}

void CaseRanges::remove(std::uint64_t first, std::uint64_t end) {
  if (end <= first) return;
  auto next = ranges_.upper_bound(first);
  if (next != ranges_.begin() && std::prev(next)->second > first) --next;
  while (next != ranges_.end() && next->first < end) {
    const auto [from, to] = *next;
    next = ranges_.erase(next);
    if (from < first) ranges_.emplace(from, first);
    if (to > end) next = ranges_.emplace(end, to).first;
  }
}

void CaseRanges::remove(const CaseRanges& other) {
  for (const auto& [first, end] : other.ranges_) remove(first, end);
}

bool CaseRanges::overlaps(const CaseRanges& other) const {
  return std::ranges::any_of(other.ranges_, [this](const auto& range) {
    const auto next = next_from(range.first);
    return next && *next < range.second;
  });
}

std::uint64_t CaseRanges::size() const {
  std::uint64_t size = 0;
  for (const auto& [first, end] : ranges_) size += end - first;
  return size;
}

std::uint64_t CaseRanges::end_of(std::uint64_t index) const {
  const auto next = ranges_.upper_bound(index);
  if (next == ranges_.begin()) return index;
  return std::max(index, std::prev(next)->second);
}

std::optional<std::uint64_t> CaseRanges::next_from(std::uint64_t index) const {
  if (contains(index)) return index;
  const auto next = ranges_.upper_bound(index);
  if (next == ranges_.end()) return std::nullopt;
  return next->first;
}

std::string text_of(const CaseRanges& ranges) {
  std::string text;
  for (const auto& [first, end] : ranges.ranges()) {
    if (!text.empty()) text += ',';
    text += end == first + 1 ? fmt::format("{}", first) : fmt::format("{}-{}", first, end - 1);
  }
  return text;
}

CaseRanges parse_case_ranges(std::string_view text) {
  CaseRanges ranges;
  if (text.empty()) return ranges;
  for (const std::string& part : split_at_commas(std::string(text))) {
    const std::size_t dash = part.find('-');
    const std::uint64_t first = parse_index(std::string_view(part).substr(0, dash), text);
    const std::uint64_t last =
        dash == std::string::npos ? first : parse_index(std::string_view(part).substr(dash + 1), text);
    if (last < first) parse_index("", text);
    ranges.add(first, last + 1);
  }
  return ranges;
}

}  // namespace deformdiff
