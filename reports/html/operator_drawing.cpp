// The operator's case as the wrong element sees it. A pixel's centre is at whole coordinates, as in
// blocks/ms_deform_attn.h.
#include "blocks/ms_deform_attn.h"
#include "core/place.h"
#include "reports/html/drawings.h"
#include "reports/html/markup.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace deformdiff::html {
namespace {

using ms_deform_attn::Dims;
using ms_deform_attn::Level;
using ms_deform_attn::Problem;

/// Cells that a map shows along a side, and levels that are drawn, at most.
constexpr std::int64_t kMostCells = 7;
constexpr std::size_t kMostLevels = 2;
constexpr std::size_t kMostListed = 12;
constexpr double kCell = 42;
constexpr double kMargin = 22;

struct Point {
  std::int64_t level;
  std::int64_t number;  ///< of the level's points
  double x, y;          ///< in pixels of the level's map
  double weight;
  bool touches;  ///< whether one of its four cells lies on the map
};

struct Sight {
  std::int64_t batch, query, head, channel;
};

std::vector<Point> points_of(const Problem& problem, const Sight& sight) {
  const Dims& d = problem.dims;
  const std::int64_t first = ((sight.batch * d.Q + sight.query) * d.M + sight.head) * d.L * d.P;
  std::vector<Point> points;
  for (std::int64_t i = 0; i < d.L * d.P; ++i) {
    const Level& level = problem.levels[static_cast<std::size_t>(i / d.P)];
    Point point{i / d.P, i % d.P, 0, 0, problem.attn_weight.element(first + i), false};
    point.x = problem.sampling_loc.element(2 * (first + i)) * static_cast<double>(level.width) - 0.5;
    point.y = problem.sampling_loc.element(2 * (first + i) + 1) * static_cast<double>(level.height) - 0.5;
    point.touches = point.x > -1 && point.x < static_cast<double>(level.width) && point.y > -1 &&
                    point.y < static_cast<double>(level.height);
    points.push_back(point);
  }
  return points;
}

/// Cells first .. last along one side; -1 and the side's length are the zeros around the map.
struct Span {
  std::int64_t first, last;
  bool holds(double cell) const {
    return cell >= static_cast<double>(first) && cell + 1 <= static_cast<double>(last);
  }
};

/// The whole side if it is short, else the part around `middle`.
Span span_around(std::int64_t side, double middle) {
  if (side + 2 <= kMostCells) return {-1, side};
  const double centre = std::isfinite(middle) ? std::clamp(middle, 0.0, static_cast<double>(side)) : 0;
  const auto first = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(centre)) - kMostCells / 2,
                                              -1, side + 1 - kMostCells);
  return {first, first + kMostCells - 1};
}

class LevelDrawing {
 public:
  LevelDrawing(const Problem& problem, const Sight& sight, std::int64_t level,
               const std::vector<Point>& points)
      : problem_(problem), sight_(sight), level_(problem.levels[static_cast<std::size_t>(level)]) {
    for (const Point& point : points) {
      if (point.level == level) points_.push_back(point);
    }
    const auto heaviest = std::ranges::max_element(
        points_, {}, [](const Point& point) { return point.touches ? 1 + std::abs(point.weight) : 0; });
    across_ = span_around(level_.width, heaviest->x);
    down_ = span_around(level_.height, heaviest->y);
    number_ = level;
  }

  std::string draw() {
    const double width = kMargin + static_cast<double>(across_.last - across_.first + 1) * kCell + 2;
    const double height = kMargin + static_cast<double>(down_.last - down_.first + 1) * kCell + 2;
    const std::string content = cells() + edge() + corners() + dots();
    const std::string size = fmt::format("{} \u00d7 {}", level_.height, level_.width);
    return figure(
        drawing(width, height, fmt::format("The map of level {}", number_),
                fmt::format("{} rows and columns, of which rows {} to {} and columns {} to {} are shown; {}",
                            size, down_.first, down_.last, across_.first, across_.last, points_text()),
                content),
        fmt::format("Level {}, {} pixels: <code>value</code> of batch {}, head {}, channel {}", number_, size,
                    sight_.batch, sight_.head, sight_.channel));
  }

 private:
  double left(double x) const { return kMargin + (x - static_cast<double>(across_.first)) * kCell; }
  double top(double y) const { return kMargin + (y - static_cast<double>(down_.first)) * kCell; }

  bool is_on_map(std::int64_t y, std::int64_t x) const {
    return y >= 0 && x >= 0 && y < level_.height && x < level_.width;
  }

  double value(std::int64_t y, std::int64_t x) const {
    const Dims& d = problem_.dims;
    const std::int64_t row = level_.start + y * level_.width + x;
    return problem_.value.element(((sight_.batch * d.S + row) * d.M + sight_.head) * d.D + sight_.channel);
  }

  template <typename Visit>
  void for_each_cell(const Visit& visit) const {
    for (std::int64_t y = down_.first; y <= down_.last; ++y) {
      for (std::int64_t x = across_.first; x <= across_.last; ++x) visit(y, x);
    }
  }

  std::string cells() const {
    double largest = 0;
    for_each_cell([&](std::int64_t y, std::int64_t x) {
      if (is_on_map(y, x) && std::isfinite(value(y, x))) largest = std::max(largest, std::abs(value(y, x)));
    });
    std::string text, padding;
    for_each_cell([&](std::int64_t y, std::int64_t x) {
      const std::string corner = fmt::format("M{} {}", coordinate(left(static_cast<double>(x))),
                                             coordinate(top(static_cast<double>(y))));
      if (!is_on_map(y, x)) {
        padding += corner + fmt::format("h{0}v{0}h-{0}z", kCell);
        return;
      }
      text += cell(y, x, largest);
    });
    text += fmt::format("<path class=\"pad\" d=\"{}\"/>", padding);
    for (std::int64_t x = across_.first; x <= across_.last; ++x) {
      text += svg_text(left(static_cast<double>(x) + 0.5), kMargin - 7, "m q", fmt::format("{}", x));
    }
    for (std::int64_t y = down_.first; y <= down_.last; ++y) {
      text += svg_text(kMargin - 6, top(static_cast<double>(y) + 0.5) + 4, "e q", fmt::format("{}", y));
    }
    return text;
  }

  std::string cell(std::int64_t y, std::int64_t x, double largest) const {
    const double v = value(y, x);
    const std::string place =
        fmt::format("x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", coordinate(left(static_cast<double>(x))),
                    coordinate(top(static_cast<double>(y))), kCell, kCell);
    std::string text = fmt::format("<rect class=\"cell\" {}/>", place);
    if (!std::isfinite(v)) {
      text += fmt::format("<rect class=\"odd\" {}/>", place);
    } else if (v != 0) {
      text += fmt::format("<rect class=\"{}\" fill-opacity=\"{:.2f}\" {}/>", v > 0 ? "plus" : "minus",
                          0.1 + 0.4 * std::abs(v) / largest, place);
    }
    const std::string shown = std::isfinite(v) ? fmt::format("{:.3g}", v) : number_text(v);
    // In a corner: the middle is where a point may lie.
    return text + svg_text(left(static_cast<double>(x)) + 4, top(static_cast<double>(y)) + 13,
                           shown.size() > 5 ? "q" : "", shown);
  }

  /// Of the map, where it is seen.
  std::string edge() const {
    std::string path;
    const auto side = [&](std::int64_t length) { return static_cast<double>(length); };
    const double x0 = left(side(std::max<std::int64_t>(0, across_.first)));
    const double x1 = left(side(std::min(level_.width, across_.last + 1)));
    const double y0 = top(side(std::max<std::int64_t>(0, down_.first)));
    const double y1 = top(side(std::min(level_.height, down_.last + 1)));
    const auto line = [&](bool seen, double xa, double ya, double xb, double yb) {
      if (!seen) return;
      path += fmt::format("M{} {}L{} {}", coordinate(xa), coordinate(ya), coordinate(xb), coordinate(yb));
    };
    line(down_.first < 0, x0, y0, x1, y0);
    line(down_.last >= level_.height, x0, y1, x1, y1);
    line(across_.first < 0, x0, y0, x0, y1);
    line(across_.last >= level_.width, x1, y0, x1, y1);
    return fmt::format("<path class=\"edge\" d=\"{}\"/>", path);
  }

  bool is_seen(const Point& point) const {
    return point.touches && across_.holds(std::floor(point.x)) && down_.holds(std::floor(point.y));
  }

  std::string corners() const {
    std::string path;
    for (const Point& point : points_) {
      if (!is_seen(point)) continue;
      path += fmt::format("M{0} {1}h{2}v{2}h-{2}z", coordinate(left(std::floor(point.x))),
                          coordinate(top(std::floor(point.y))), 2 * kCell);
    }
    return fmt::format("<path class=\"corner\" d=\"{}\"/>", path);
  }

  std::string dots() const {
    std::string text;
    for (const Point& point : points_) {
      if (!is_seen(point)) continue;
      const double x = left(point.x + 0.5);
      const double y = top(point.y + 0.5);
      text +=
          fmt::format("<circle class=\"point\" cx=\"{}\" cy=\"{}\" r=\"5\"/>", coordinate(x), coordinate(y));
      if (points_.size() > 1) text += svg_text(x + 7, y - 5, "q", fmt::format("p{}", point.number));
    }
    return text;
  }

  std::string points_text() const {
    std::string text;
    for (const Point& point : points_) {
      if (!is_seen(point)) continue;
      text += fmt::format("point {} at row {:.4g}, column {:.4g} with weight {:.4g}; ", point.number, point.y,
                          point.x, point.weight);
    }
    return text.empty() ? "no sampling point lies there." : text;
  }

  const Problem& problem_;
  const Sight& sight_;
  const Level& level_;
  std::int64_t number_ = 0;
  std::vector<Point> points_;
  Span across_{}, down_{};
};

std::string points_table(const std::vector<Point>& points, std::int64_t levels) {
  std::string rows;
  for (std::size_t i = 0; i < std::min(points.size(), kMostListed); ++i) {
    const Point& point = points[i];
    rows += fmt::format(
        "<tr><th scope=\"row\" class=\"whole\">{}p{}</th><td class=\"n\">{:.6g}</td><td "
        "class=\"n\">{:.6g}</td>"
        "<td class=\"n\">{:.6g}</td></tr>\n",
        levels > 1 ? fmt::format("level {}, ", point.level) : "", point.number, point.x, point.y,
        point.weight);
  }
  const std::string more =
      points.size() > kMostListed ? fmt::format("; the first {} of {}", kMostListed, points.size()) : "";
  return table(fmt::format("Sampling points, in pixels of their level's map{}", more),
               heading_cell("point") + heading_cell("column", true) + heading_cell("row", true) +
                   heading_cell("weight", true),
               "<tbody>" + rows + "</tbody>");
}

}  // namespace

std::string operator_drawing(const Case& c, const WrongElement& worst) {
  Case dense = c;
  for (NamedTensor& input : dense.inputs) input.tensor = input.tensor.contiguous();
  const Problem problem = ms_deform_attn::parse(dense);
  const Dims& d = problem.dims;
  if (worst.shape != Shape{d.N, d.Q, d.M * d.D}) return "";
  const Shape at = indices_of(worst.shape, worst.element);
  const Sight sight{at[0], at[1], at[2] / d.D, at[2] % d.D};
  const std::vector<Point> points = points_of(problem, sight);

  // Levels with a point on their map come first.
  std::vector<std::int64_t> levels;
  for (const bool touched : {true, false}) {
    for (std::int64_t level = 0; level < d.L && d.P > 0; ++level) {
      const bool touches = std::ranges::any_of(points, [&](const Point& point) {
        return point.level == level && point.touches && point.weight != 0;
      });
      if (touches == touched) levels.push_back(level);
    }
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(levels.size(), kMostLevels); ++i) {
    text += LevelDrawing(problem, sight, levels[i], points).draw();
  }
  if (levels.size() > kMostLevels) {
    text += fmt::format("<p class=\"quiet\">{} of {} levels are drawn.</p>\n", kMostLevels, levels.size());
  }
  return points.empty() ? text : text + points_table(points, d.L);
}

}  // namespace deformdiff::html
