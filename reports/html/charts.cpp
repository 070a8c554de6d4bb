#include "reports/html/charts.h"

#include "engine/element_sample.h"
#include "reports/html/markup.h"
#include "reports/tally.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::html {
namespace {

// The octaves of error / bound that have a bar of their own; what lies beyond is in the outermost.
constexpr int kLowestOctave = -24;
constexpr int kHighestOctave = 8;
constexpr int kBars = kHighestOctave - kLowestOctave + 1;
constexpr double kBar = 6;
constexpr double kChartHeight = 34;

int bar_of(double upper) {
  if (std::isinf(upper)) return kBars - 1;
  const int octave = static_cast<int>(std::ceil(std::log2(upper))) - 1;
  return std::clamp(octave - kLowestOctave, 0, kBars - 1);
}

double place_of(double ratio) {
  return (std::log2(ratio) - kLowestOctave) * kBar;
}

}  // namespace

std::string ratio_chart(const RatioHistogram& ratios, const std::string& whose) {
  if (ratios.total() == 0) return "";
  std::array<std::int64_t, kBars> counts{};
  for (const RatioHistogram::Bin& bin : ratios.bins()) {
    counts[static_cast<std::size_t>(bar_of(bin.upper))] += bin.count;
  }
  const double most = std::log1p(static_cast<double>(std::ranges::max(counts)));
  const bool any_over = ratios.max() > 1;
  std::string inside, over;
  for (int bar = 0; bar < kBars; ++bar) {
    const std::int64_t count = counts[static_cast<std::size_t>(bar)];
    if (count == 0) continue;
    const double height = std::max(1.0, std::log1p(static_cast<double>(count)) / most * kChartHeight);
    const std::string path =
        fmt::format("M{} {}h5v{}h-5z", bar * kBar, coordinate(kChartHeight - height), coordinate(height));
    (any_over && bar >= -kLowestOctave ? over : inside) += path;
  }
  std::string content = fmt::format(
      "<path class=\"ok\" d=\"{}\"/><path class=\"over\" d=\"{}\"/>"
      "<path class=\"axis\" d=\"M0 {}h{}\"/><path class=\"one\" d=\"M{} 0v{}\"/>",
      inside, over, kChartHeight, kBars * kBar, place_of(1), kChartHeight + 4);
  for (const auto& [ratio, label] : {std::pair{1e-6, "1e-6"}, {1e-3, "0.001"}, {1.0, "1"}}) {
    content += svg_text(place_of(ratio), kChartHeight + 14, "m q", label);
  }
  return drawing(kBars * kBar, kChartHeight + 18, "error/bound of " + whose,
                 fmt::format("{} elements: half are below {:.2g}, 99 % below {:.2g}, the largest is {}.",
                             ratios.total(), ratios.quantile(0.5), ratios.quantile(0.99), ratio_text(ratios)),
                 content);
}

namespace {

// A cell's colour: the part of errors among errors and drawn elements, as if there were as many of both; half
// is what chance gives.
constexpr int kColours = 6;
constexpr std::int64_t kTooFew = 6;

struct Totals {
  double wrong, drawn;
};

Totals totals_of(const PlaceCounts& counts) {
  const auto sum = [](const std::vector<std::int64_t>& each) {
    return static_cast<double>(std::accumulate(each.begin(), each.end(), std::int64_t{0}));
  };
  return {sum(counts.wrong), sum(counts.drawn)};
}

int colour_of(std::int64_t wrong, std::int64_t drawn, const Totals& totals) {
  static constexpr std::array<double, kColours - 1> kEdges{0.15, 0.38, 0.62, 0.75, 0.9};
  const double errors = wrong == 0 ? 0 : static_cast<double>(wrong) / totals.wrong;
  const double chance = drawn == 0 ? 0 : static_cast<double>(drawn) / totals.drawn;
  return static_cast<int>(std::ranges::upper_bound(kEdges, errors / (errors + chance)) - kEdges.begin());
}

std::string cell_text(const PlaceCounts& counts, std::size_t cell) {
  if (counts.rows == 1) return fmt::format("part {} of {}", cell + 1, counts.columns);
  const auto columns = static_cast<std::size_t>(counts.columns);
  return fmt::format("row {}, column {} of {} \u00d7 {}", cell / columns + 1, cell % columns + 1, counts.rows,
                     counts.columns);
}

/// The cell in which errors are most in excess.
std::size_t excess_cell(const PlaceCounts& counts, const Totals& totals) {
  const auto excess = [&](std::size_t cell) {
    return static_cast<double>(counts.wrong[cell]) * totals.drawn -
           static_cast<double>(counts.drawn[cell]) * totals.wrong;
  };
  std::size_t most = 0;
  for (std::size_t cell = 1; cell < counts.wrong.size(); ++cell) {
    if (excess(cell) > excess(most)) most = cell;
  }
  return most;
}

/// The two-sample chi-squared statistic, in standard deviations from what chance gives. For reading only. On
/// an axis elements of one case are not independent, at worst they count as one; on a map no two share their
/// point.
double difference(const PlaceCounts& counts, const Totals& totals) {
  if (totals.wrong == 0 || totals.drawn == 0) return 0;
  const double scale = std::sqrt(totals.drawn / totals.wrong);
  double sum = 0;
  int cells = -1;
  for (std::size_t cell = 0; cell < counts.wrong.size(); ++cell) {
    const auto wrong = static_cast<double>(counts.wrong[cell]);
    const auto drawn = static_cast<double>(counts.drawn[cell]);
    if (wrong + drawn == 0) continue;
    const double apart = wrong * scale - drawn / scale;
    sum += apart * apart / (wrong + drawn);
    ++cells;
  }
  if (counts.rows == 1) sum /= static_cast<double>(ElementSample::kMost);
  return cells < 1 ? 0 : (sum - cells) / std::sqrt(2.0 * cells);
}

}  // namespace

PlaceChart place_chart(const std::string& grid, const PlaceCounts& counts) {
  const bool is_map = counts.rows > 1;
  const double side = is_map ? 14 : 17;
  const double tall = is_map ? side : 24;
  const Totals totals = totals_of(counts);
  std::array<std::string, kColours> paths;
  for (std::size_t cell = 0; cell < counts.wrong.size(); ++cell) {
    const std::int64_t both = counts.wrong[cell] + counts.drawn[cell];
    if (both < kTooFew) continue;
    const auto columns = static_cast<std::size_t>(counts.columns);
    paths.at(static_cast<std::size_t>(colour_of(counts.wrong[cell], counts.drawn[cell], totals))) +=
        fmt::format("M{} {}h{}v{}h-{}z", coordinate(static_cast<double>(cell % columns) * side + 1),
                    coordinate(static_cast<double>(cell / columns) * tall + 1), side - 1, tall - 1, side - 1);
  }
  std::string content;
  for (std::size_t colour = 0; colour < paths.size(); ++colour) {
    if (!paths[colour].empty())
      content += fmt::format("<path class=\"h{}\" d=\"{}\"/>", colour, paths[colour]);
  }
  if (content.empty()) return {};
  const double width = counts.columns * side + 2;
  const double height = counts.rows * tall + 2;
  content = fmt::format("<rect class=\"pad\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\"/>", width - 1,
                        height - 1) +
            content;
  if (is_map) {
    // Between the outermost pixels' centres, and as far as a point reaches a pixel.
    for (const auto& [style, skipped] : {std::pair{"edge", 2}, {"reach", 1}}) {
      content +=
          fmt::format("<rect class=\"{0}\" x=\"{1}\" y=\"{1}\" width=\"{2}\" height=\"{2}\"/>", style,
                      coordinate(skipped * side + 0.5), coordinate((counts.columns - 2 * skipped) * side));
    }
  }
  constexpr double kTelling = 4;
  const std::size_t most = excess_cell(counts, totals);
  const bool stands_out = difference(counts, totals) > kTelling;
  const std::string what = stands_out
                               ? fmt::format("most in excess at {}: {} of errors, {} drawn",
                                             cell_text(counts, most), counts.wrong[most], counts.drawn[most])
                               : "as chance would have it";
  const std::string caption = fmt::format("<b>{}</b>: {}", escaped(grid), what);
  return {figure(drawing(width, height, "Errors by " + grid,
                         fmt::format("{} places of errors, {}.", totals.wrong, what), content),
                 caption),
          stands_out};
}

std::string time_chart(const TimeSplit& split) {
  struct Part {
    std::string_view style, name, what;
    double seconds;
  };
  const std::array<Part, 5> parts{{{"ta", "generate", "making cases", split.generate},
                                   {"tb", "transport", "to workers and back", split.transport},
                                   {"tc", "run", "in the implementations", split.run},
                                   {"td", "oracle", "what is admissible", split.oracle},
                                   {"te", "compare", "judging", split.compare}}};
  double total = 0;
  for (const Part& part : parts) total += part.seconds;
  if (!(total > 0)) return "";
  constexpr double kWidth = 640;
  double left = 0;
  std::string bars, key, described;
  for (const Part& part : parts) {
    const double width = part.seconds / total * kWidth;
    bars += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"0\" width=\"{}\" height=\"28\"/>", part.style,
                        coordinate(left), coordinate(width));
    left += width;
    key += fmt::format("<li><i class=\"{}\"></i>{} {:.3g} s ({:.0f} %): {}</li>", part.style, part.name,
                       part.seconds, 100 * part.seconds / total, part.what);
    described += fmt::format("{} {:.3g} s; ", part.name, part.seconds);
  }
  return figure(drawing(kWidth, 28, "Where the time went", described, bars),
                "Seconds summed over cases and implementations, which work beside each other.") +
         fmt::format("<ul class=\"key\">{}</ul>\n", key);
}

}  // namespace deformdiff::html
