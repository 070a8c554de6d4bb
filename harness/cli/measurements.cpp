#include "cli/measurements.h"

#include <algorithm>
#include <regex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace deformdiff::cli {
namespace {

double median(std::vector<double> samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::ranges::nth_element(samples, middle);
  return *middle;
}

/// The id with its implementation replaced by the composite: "op/SHAPE/LOCATIONS/fwd/composite/tN", or bwd,
/// and perhaps "/TYPE" behind that.
std::string composite_id(const std::string& id) {
  static const std::regex pattern("(op/[^/]+/[^/]+/(?:fwd|bwd)/).*(/t[0-9]+(?:/[a-z0-9]+)?)");
  std::smatch parts;
  if (!std::regex_match(id, parts, pattern)) return "";
  return parts.str(1) + "composite" + parts.str(2);
}

}  // namespace

void Measurements::add(const std::string& id, const std::string& unit, double sample) {
  auto known = std::ranges::find(series_, id, &Series::id);
  if (known == series_.end()) known = series_.insert(series_.end(), {id, unit, {}});
  known->samples.push_back(sample);
}

std::string measurements_json(const Measurements& measurements,
                              const std::map<std::string, std::string>& notes) {
  nlohmann::ordered_json json;
  json["results"] = nlohmann::ordered_json::array();
  for (const Series& series : measurements.series()) {
    json["results"].push_back({{"id", series.id}, {"unit", series.unit}, {"samples", series.samples}});
  }
  json["notes"] = notes;
  return json.dump(1) + "\n";
}

std::string measurements_table(const Measurements& measurements) {
  std::size_t width = 2;
  for (const Series& series : measurements.series()) width = std::max(width, series.id.size());
  std::string text = fmt::format("{:<{}} {:>10} {:>10} {:>7}  {:<8} {}\n", "id", width, "min", "median",
                                 "spread", "unit", "of composite");
  for (const Series& series : measurements.series()) {
    const auto [least, most] = std::ranges::minmax(series.samples);
    const double middle = median(series.samples);
    const auto composite = std::ranges::find(measurements.series(), composite_id(series.id), &Series::id);
    const bool has_ratio = composite != measurements.series().end();
    text += fmt::format("{:<{}} {:>10.4g} {:>10.4g} {:>6.0f}%  {:<8} {}\n", series.id, width, least, middle,
                        middle > 0 ? 100 * (most - least) / middle : 0, series.unit,
                        has_ratio ? fmt::format("{:.3f}", least / std::ranges::min(composite->samples)) : "");
  }
  return text;
}

}  // namespace deformdiff::cli
