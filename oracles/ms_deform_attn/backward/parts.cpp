#include "oracles/ms_deform_attn/backward/parts.h"

#include "core/reference.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {

template <typename Scalar>
std::string describe(const Point<Scalar>& point, const Level& level) {
  return fmt::format(
      "level {} ({}x{}) point {}: attention weight {:.9g}, pixel x {:.9g} +- {:.2g}, y {:.9g} +- {:.2g}",
      point.level, level.height, level.width, point.point, point.weight,
      static_cast<double>(point.x.position), point.x.shift, static_cast<double>(point.y.position),
      point.y.shift);
}

template <typename Scalar>
std::string class_of(const Point<Scalar>& point, const Level& level) {
  if (!point.x.in_reach() || !point.y.in_reach()) return "outside";
  const bool interior = point.x.position >= 0 && point.y.position >= 0 &&
                        point.x.position <= static_cast<Scalar>(level.width - 1) &&
                        point.y.position <= static_cast<Scalar>(level.height - 1);
  return interior ? "interior" : "border";
}

std::vector<std::pair<std::string, double>> BoundParts::named(double margin, bool exact) const {
  const double kept = exact ? 0 : 1;
  std::vector<std::pair<std::string, double>> terms{{"accumulation", kept * accumulation},
                                                    {"weight rounding", kept * weights},
                                                    {"coordinate rounding", kept * coordinates},
                                                    {"underflow", kept * underflow},
                                                    {"second order and oracle", kept * sum() * (margin - 1)}};
  std::stable_sort(terms.begin(), terms.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return terms;
}

std::string describe_kinds(std::uint8_t admits) {
  if (admits == kAdmitsFinite) return "";
  if ((admits & kAdmitsAnything) != 0)
    return "intermediate results may overflow; the element may be anything";
  return fmt::format("inputs are not finite; the element may be:{}{}{}{}",
                     (admits & kAdmitsFinite) != 0 ? " finite" : "", (admits & kAdmitsNan) != 0 ? " nan" : "",
                     (admits & kAdmitsPlusInf) != 0 ? " +inf" : "",
                     (admits & kAdmitsMinusInf) != 0 ? " -inf" : "");
}

template std::string describe(const Point<double>&, const Level&);
template std::string describe(const Point<long double>&, const Level&);
template std::string class_of(const Point<double>&, const Level&);
template std::string class_of(const Point<long double>&, const Level&);

}  // namespace deformdiff::ms_deform_attn
