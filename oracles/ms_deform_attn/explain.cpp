#include "oracles/ms_deform_attn/explain.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

struct NamedParts {
  const char* name;
  Parts parts;
};

constexpr std::array<NamedParts, 4> kParts{{
    {"accumulation", {true, false, false, false}},
    {"weight rounding", {false, true, false, false}},
    {"coordinate rounding", {false, false, true, false}},
    {"underflow", {false, false, false, true}},
}};

/// Where several cells are possible each part takes its own largest one, so parts may add up to more than the
/// whole: they are scaled to it.
template <typename T>
std::vector<std::pair<std::string, double>> bound_terms(GroupEvaluator<T>& evaluator, const GroupIndex& group,
                                                        std::int64_t d) {
  const auto channel = static_cast<std::size_t>(d);
  GroupResult<Wide<T>> result;
  evaluator.evaluate(group, Parts{}, result);
  const double whole = result.bound[channel];
  const double without_margin = whole / evaluator.margin();
  std::vector<std::pair<std::string, double>> terms;
  double sum = 0;
  for (const NamedParts& part : kParts) {
    evaluator.evaluate(group, part.parts, result);
    terms.emplace_back(part.name, result.bound[channel] / evaluator.margin());
    sum += terms.back().second;
  }
  for (auto& [name, term] : terms) term *= sum > 0 ? without_margin / sum : 0;
  terms.emplace_back("second order and oracle", whole - without_margin);
  return terms;
}

template <typename T>
std::string describe(const Inputs<T>& inputs, const GroupIndex& group, std::int64_t d,
                     const Point<Wide<T>>& point) {
  const Level& level = inputs.level(point.level);
  const auto x = static_cast<double>(point.x.position), y = static_cast<double>(point.y.position);
  const double far_x = x - std::floor(x), far_y = y - std::floor(y);
  std::string line = fmt::format(
      "level {} ({}x{}) point {}: attention weight {:.9g}, pixel x {:.9g} +- {:.2g}, y {:.9g} +- {:.2g}, "
      "cell "
      "({}, {}){}; weight * value:",
      point.level, level.height, level.width, point.point, point.weight, x, point.x.shift, y, point.y.shift,
      point.x.cell, point.y.cell,
      point.x.first != point.x.last || point.y.first != point.y.last ? " or a neighbour" : "");
  for (int corner = 0; corner < 4; ++corner) {
    const bool right = (corner & 1) != 0, lower = (corner & 2) != 0;
    const std::int64_t column = point.x.cell + (right ? 1 : 0), row = point.y.cell + (lower ? 1 : 0);
    const double weight = (right ? far_x : 1 - far_x) * (lower ? far_y : 1 - far_y);
    if (inputs.inside(point.level, row, column)) {
      line += fmt::format(
          " {:.6g} * {:.9g} (x {}, y {})", weight,
          static_cast<double>(inputs.raw_value(group.n, group.m, point.level, row, column, d)), column, row);
    } else {
      line += fmt::format(" {:.6g} * outside", weight);
    }
  }
  return line;
}

}  // namespace

template <typename T>
Explanation explain_element(const Inputs<T>& inputs, const Rounding& rounding, Coordinates coordinates,
                            const GroupIndex& group, std::int64_t d, bool exact) {
  GroupEvaluator<T> evaluator(inputs, rounding, coordinates);
  Explanation explanation;
  explanation.terms = bound_terms(evaluator, group, d);
  if (exact) {
    for (auto& [name, term] : explanation.terms) term = 0;
    explanation.lines.push_back(
        "exact: no intermediate of any stable formula rounds, every correct result is the same");
  }
  std::stable_sort(explanation.terms.begin(), explanation.terms.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  explanation.lines.push_back(
      fmt::format("batch {}, query {}, head {}, channel {}", group.n, group.q, group.m, d));
  for (const auto& point : evaluator.points()) explanation.lines.push_back(describe(inputs, group, d, point));
  const std::int64_t all = inputs.dims().L * inputs.dims().P;
  const auto contributing = static_cast<std::int64_t>(evaluator.points().size());
  explanation.lines.push_back(
      fmt::format("{} of {} sampling points are outside the map or have no finite weight but 0",
                  all - contributing, all));
  return explanation;
}

template Explanation explain_element(const Inputs<float>&, const Rounding&, Coordinates, const GroupIndex&,
                                     std::int64_t, bool);
template Explanation explain_element(const Inputs<double>&, const Rounding&, Coordinates, const GroupIndex&,
                                     std::int64_t, bool);

}  // namespace deformdiff::ms_deform_attn
