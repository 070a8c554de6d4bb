#include "reports/matrix.h"

#include "reports/layout.h"
#include "reports/tally.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

constexpr std::size_t kRatioColumns = 8;

struct Row {
  std::string name;
  std::vector<std::string> cells;  ///< a block each
  RatioHistogram ratios;
  int variants = 0;  ///< that share the row
};

/// "traced/op" of "traced/op/frozen". Addresses have no variants.
std::string family_of(const std::string& name) {
  if (name.find(':') != std::string::npos) return name;
  const std::size_t slash = name.find('/');
  return slash == std::string::npos ? name : name.substr(0, name.find('/', slash + 1));
}

std::string cell_of(const SubjectReport& subject) {
  const Tally tally = tally_of(subject);
  return tally.judged() == 0 ? "-" : fmt::format("{}/{}", tally.agree, tally.judged());
}

/// "a", ... "z", "aa", ...
std::string letter_of(std::size_t block) {
  constexpr std::size_t kLetters = 26;
  const std::string last(1, static_cast<char>('a' + block % kLetters));
  return block < kLetters ? last : letter_of(block / kLetters - 1) + last;
}

class Matrix {
 public:
  explicit Matrix(const std::vector<SubjectReport>& subjects) {
    for (const SubjectReport& subject : subjects) add(subject);
    for (Row& row : rows_) row.cells.resize(blocks_.size(), "-");
    merge_variants();
  }

  std::string text() const {
    std::vector<std::string> names{"cases"};
    for (const Row& row : rows_) names.push_back(row.name);
    const ShortNames shown(names, kLongestMatrixName);
    std::string text;
    for (std::size_t begin = 0; begin < blocks_.size();) {
      const std::size_t end = end_of_band(begin, shown.width());
      text += band(begin, end, shown) + (end < blocks_.size() ? "\n" : "");
      begin = end;
    }
    return text + legend() + shown.legend();
  }

 private:
  void add(const SubjectReport& subject) {
    const auto block = static_cast<std::size_t>(std::ranges::find(blocks_, subject.block) - blocks_.begin());
    if (block == blocks_.size()) {
      blocks_.push_back(subject.block);
      cases_.push_back(0);
    }
    cases_[block] = std::max(cases_[block], subject.cases);
    auto row = std::ranges::find(rows_, subject.name, &Row::name);
    if (row == rows_.end()) row = rows_.insert(rows_.end(), {subject.name, {}, {}, 0});
    row->cells.resize(std::max(row->cells.size(), block + 1), "-");
    row->cells[block] = cell_of(subject);
    row->ratios.add(subject.ratios);
  }

  void merge_variants() {
    std::vector<Row> merged;
    for (Row& row : rows_) {
      const auto same = std::ranges::find_if(merged, [&](const Row& other) {
        return family_of(other.name) == family_of(row.name) && other.cells == row.cells;
      });
      if (same == merged.end()) {
        merged.push_back(std::move(row));
      } else {
        ++same->variants;
        same->ratios.add(row.ratios);
      }
    }
    rows_ = std::move(merged);
    for (Row& row : rows_) {
      if (row.variants > 0) row.name += fmt::format(" +{}", row.variants);
      has_variants_ = has_variants_ || row.variants > 0;
    }
  }

  std::size_t column_width(std::size_t block) const {
    std::size_t width = std::max(letter_of(block).size(), fmt::format("{}", cases_[block]).size());
    for (const Row& row : rows_) width = std::max(width, row.cells[block].size());
    return width + 1;
  }

  /// The first block that finds no room beside those from `begin` on.
  std::size_t end_of_band(std::size_t begin, std::size_t name_width) const {
    std::size_t used = name_width + kRatioColumns + column_width(begin);
    std::size_t end = begin + 1;
    while (end < blocks_.size() && used + column_width(end) <= kColumns) used += column_width(end++);
    return end;
  }

  template <typename Cell>
  std::string line(std::size_t begin, std::size_t end, const std::string& name, std::size_t name_width,
                   const Cell& cell) const {
    std::string text = fmt::format("{:<{}}", name, name_width);
    for (std::size_t block = begin; block < end; ++block) {
      text += fmt::format("{:>{}}", cell(block), column_width(block));
    }
    return text;
  }

  std::string band(std::size_t begin, std::size_t end, const ShortNames& shown) const {
    const std::size_t width = shown.width();
    std::string text = line(begin, end, "", width, letter_of) + "  worst\n";
    text += line(begin, end, "cases", width, [&](std::size_t block) { return cases_[block]; }) + "\n";
    for (const Row& row : rows_) {
      text +=
          line(begin, end, shown.of(row.name), width, [&](std::size_t block) { return row.cells[block]; });
      text += fmt::format("  {}\n", ratio_text(row.ratios));
    }
    return text;
  }

  std::string legend() const {
    std::string blocks;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      blocks += fmt::format("{}{}={}", i > 0 ? ", " : "", letter_of(i), blocks_[i]);
    }
    return wrapped(
               "",
               fmt::format("Agreed/judged cases; -: nothing could be judged; worst: largest error / bound.{}",
                           has_variants_ ? " +N: and N variants alike." : ""),
               0) +
           wrapped("", blocks, 0);
  }

  std::vector<std::string> blocks_;
  std::vector<std::int64_t> cases_;
  std::vector<Row> rows_;
  bool has_variants_ = false;
};

}  // namespace

std::string block_matrix(const std::vector<SubjectReport>& subjects) {
  return Matrix(subjects).text();
}

}  // namespace deformdiff
