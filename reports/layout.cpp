#include "reports/layout.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// What tells one address from another: its file and operator, without folders and declarations.
std::string_view tail_of(std::string_view name) {
  name = name.substr(0, name.find('?'));
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

}  // namespace

std::string wrapped(std::string_view first, std::string_view text, std::size_t indent) {
  std::string lines(first);
  std::size_t column = first.size();
  bool line_is_empty = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line_is_empty && column + 1 + word.size() > kColumns) {
      lines += fmt::format("\n{:{}}", "", indent);
      column = indent;
      line_is_empty = true;
    }
    if (!line_is_empty) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
    line_is_empty = false;
  }
  return lines + "\n";
}

ShortNames::ShortNames(const std::vector<std::string>& names, std::size_t width) {
  int shortened = 0;
  for (const std::string& name : names) {
    if (shown_.contains(name)) continue;
    std::string shown = name;
    if (name.size() > width) {
      const std::string mark = fmt::format("[{}]", ++shortened);
      const std::string_view tail = tail_of(name);
      shown = fmt::format("{} {}", tail.substr(0, width - mark.size() - 1), mark);
      legend_ += fmt::format("{} {}\n", mark, name);
    }
    width_ = std::max(width_, shown.size());
    shown_.emplace(name, std::move(shown));
  }
}

}  // namespace deformdiff
