#include "reports/html/drawings.h"

#include "core/place.h"
#include "engine/compare.h"
#include "reports/html/markup.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::html {
namespace {

/// Cells that a grid shows along a side at most.
constexpr std::int64_t kMostRows = 16;
constexpr std::int64_t kMostColumns = 24;

/// How many elements a cell of the grid stands for along one side.
std::int64_t elements_a_cell(std::int64_t extent, std::int64_t most) {
  return std::max<std::int64_t>(1, (extent + most - 1) / most);
}

std::string index_text(const Shape& indices) {
  std::string text;
  for (const std::int64_t index : indices) text += fmt::format("{}{}", text.empty() ? "" : ", ", index);
  return fmt::format("[{}]", text);
}

/// The slice that is drawn: leading axes fixed, ":" for the last two.
std::string slice_text(const Shape& at) {
  std::string text;
  for (std::size_t axis = 0; axis < at.size(); ++axis) {
    text += axis > 0 ? ", " : "";
    text += axis + 2 < at.size() ? fmt::format("{}", at[axis]) : ":";
  }
  return fmt::format("[{}]", text);
}

}  // namespace

std::string interval_drawing(const WrongElement& worst) {
  const double low = worst.wanted - worst.bound;
  const double high = worst.wanted + worst.bound;
  if (!std::isfinite(low) || !std::isfinite(high) || !std::isfinite(worst.got)) return "";
  const double first = std::min(low, worst.got);
  const double last = std::max(high, worst.got);
  constexpr double kWidth = 320, kHeight = 78, kMargin = 16, kLine = 39;
  if (!(last > first) || !std::isfinite(last - first)) return "";
  const auto place = [&](double value) {
    return kMargin + (value - first) / (last - first) * (kWidth - 2 * kMargin);
  };
  const auto anchor = [](double x) { return x < kWidth / 3 ? "" : x > 2 * kWidth / 3 ? "e" : "m"; };
  const double got = place(worst.got);
  const double middle = place(worst.wanted);
  constexpr double kThinnest = 4;
  const double thin = std::max(kThinnest, place(high) - place(low));
  std::string content =
      fmt::format("<path class=\"axis\" d=\"M{} {}H{}\"/>", kMargin, kLine, kWidth - kMargin) +
      fmt::format("<rect class=\"band\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"16\"/>",
                  coordinate(middle - thin / 2), kLine - 8, coordinate(thin)) +
      fmt::format("<path class=\"got\" d=\"M{0} {1}l7 7l-7 7l-7 -7z\"/>", coordinate(got), kLine - 7) +
      svg_text(got, kLine - 16, fmt::format("b {}", anchor(got)), "got " + number_text(worst.got));
  content += svg_text(middle, kLine + 28, fmt::format("g {}", anchor(middle)),
                      fmt::format("wanted {} \u00b1 {:.2g}", number_text(worst.wanted), worst.bound));
  return figure(drawing(kWidth, kHeight, "What came beside what is right",
                        fmt::format("Right is {} to {}; got {}.", number_text(low), number_text(high),
                                    number_text(worst.got)),
                        content),
                "");
}

std::string position_drawing(const WrongElement& worst) {
  const Shape& shape = worst.shape;
  if (element_count(shape) < 2) return "";
  const Shape at = indices_of(shape, worst.element);
  const std::size_t axes = shape.size();
  const std::int64_t rows = axes > 1 ? shape[axes - 2] : 1;
  const std::int64_t columns = shape[axes - 1];
  const std::int64_t tall = elements_a_cell(rows, kMostRows);
  const std::int64_t wide = elements_a_cell(columns, kMostColumns);
  const std::int64_t slice = worst.element / (rows * columns);
  const auto cell_of = [&](std::int64_t element) {
    const std::int64_t within = element % (rows * columns);
    return std::pair{within / columns / tall, within % columns / wide};
  };
  std::set<std::pair<std::int64_t, std::int64_t>> wrong;
  // Of more than are listed, nobody knows where the others are.
  const bool all_known = worst.wrong.size() < Comparison::kListed;
  for (const std::int64_t element : worst.wrong) {
    if (all_known && element / (rows * columns) == slice) wrong.insert(cell_of(element));
  }
  const std::int64_t down = (rows + tall - 1) / tall;
  const std::int64_t across = (columns + wide - 1) / wide;
  const double side = std::clamp(static_cast<double>(300 / across), 8.0, 22.0);
  const auto square = [&](std::pair<std::int64_t, std::int64_t> cell) {
    return fmt::format("M{} {}h{}v{}h-{}z", coordinate(static_cast<double>(cell.second) * side + 1),
                       coordinate(static_cast<double>(cell.first) * side + 1), coordinate(side),
                       coordinate(side), coordinate(side));
  };
  std::string others, lines;
  for (const auto& cell : wrong) others += square(cell);
  const double width = static_cast<double>(across) * side;
  const double height = static_cast<double>(down) * side;
  for (std::int64_t row = 0; row <= down; ++row) {
    lines += fmt::format("M1 {}h{}", coordinate(static_cast<double>(row) * side + 1), coordinate(width));
  }
  for (std::int64_t column = 0; column <= across; ++column) {
    lines += fmt::format("M{} 1v{}", coordinate(static_cast<double>(column) * side + 1), coordinate(height));
  }
  const std::string content = fmt::format(
      "<path class=\"cell\" d=\"{}\"/><path class=\"wrongs\" d=\"{}\"/><path class=\"worst\" d=\"{}\"/>",
      lines, others, square(cell_of(worst.element)));
  const std::string scale =
      tall * wide > 1 ? fmt::format("; a square is {} \u00d7 {} elements", tall, wide) : "";
  const std::string name = fmt::format("{}{}", worst.output, index_text(at));
  const std::string others_text = all_known
                                      ? "the pale ones are wrong too"
                                      : fmt::format("{} elements or more are wrong", worst.wrong.size());
  return figure(drawing(width + 2, height + 2, "Where the wrong element stands in " + worst.output,
                        fmt::format("{} of shape {}; {}.", name, to_string(shape), others_text), content),
                fmt::format("<code>{}</code> in {}{} of shape {}: the full square; {}{}.", escaped(name),
                            escaped(worst.output), slice_text(at), to_string(shape), others_text, scale));
}

}  // namespace deformdiff::html
