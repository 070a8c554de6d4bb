#include "blocks/extents.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// "[F, M*D]"
std::string in_brackets(const std::string& axes) {
  std::string text = axes;
  for (std::size_t at = text.find(' '); at != std::string::npos; at = text.find(' ', at + 2))
    text.replace(at, 1, ", ");
  return "[" + text + "]";
}

}  // namespace

bool is_number(const std::string& factor) {
  return !factor.empty() &&
         std::all_of(factor.begin(), factor.end(), [](char c) { return c >= '0' && c <= '9'; });
}

ExtentRole role_of(const std::string& extent) {
  if (extent == "B") return ExtentRole::kBatch;
  if (extent == "Q" || extent == "K") return ExtentRole::kLength;
  if (extent == "S") return ExtentRole::kPixels;
  const bool side = extent.size() == 1 || is_number(extent.substr(1));
  if (side && extent[0] == 'H') return ExtentRole::kHeight;
  if (side && extent[0] == 'W') return ExtentRole::kWidth;
  return ExtentRole::kFixed;
}

std::vector<Factors> parse_axes(const std::string& axes) {
  std::vector<Factors> parsed;
  std::istringstream words(axes);
  for (std::string word; words >> word;) {
    Factors& axis = parsed.emplace_back();
    std::istringstream factors(word);
    for (std::string factor; std::getline(factors, factor, '*');) axis.push_back(factor);
  }
  return parsed;
}

bool has_extent(const TensorSpec& spec, const std::string& name) {
  if (spec.axes.find(name) == std::string::npos) return false;
  return std::ranges::any_of(parse_axes(spec.axes), [&](const Factors& axis) {
    return std::ranges::find(axis, name) != axis.end();
  });
}

std::int64_t value_of(const std::string& factor, const Extents& extents) {
  if (is_number(factor)) return std::stoll(factor);
  const auto found = extents.find(factor);
  if (found == extents.end()) throw InternalError("no extent " + factor);
  return found->second;
}

Shape shape_of(const TensorSpec& spec, const Extents& extents) {
  Shape shape;
  for (const Factors& axis : parse_axes(spec.axes)) {
    std::int64_t& size = shape.emplace_back(1);
    for (const std::string& factor : axis) size *= value_of(factor, extents);
  }
  return shape;
}

bool ExtentSolver::is_known(const std::string& factor) const {
  return is_number(factor) || extents_.contains(factor);
}

std::optional<std::int64_t> ExtentSolver::known_product(const Factors& axis) const {
  std::int64_t product = 1;
  for (const std::string& factor : axis) {
    if (is_known(factor) && __builtin_mul_overflow(product, value_of(factor, extents_), &product))
      return std::nullopt;
  }
  return product;
}

bool ExtentSolver::learn(const std::string& axes, const Shape& shape) {
  const std::vector<Factors> parsed = parse_axes(axes);
  if (parsed.size() != shape.size()) return false;
  bool learnt = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    std::vector<std::string> unknown;
    for (const std::string& factor : parsed[i]) {
      if (!is_known(factor)) unknown.push_back(factor);
    }
    if (unknown.size() != 1) continue;
    const std::optional<std::int64_t> known = known_product(parsed[i]);
    if (!known || *known == 0 || shape[i] % *known != 0) continue;
    extents_[unknown.front()] = shape[i] / *known;
    learnt = true;
  }
  return learnt;
}

std::string ExtentSolver::mismatch(const std::string& axes, const Shape& shape) const {
  const std::vector<Factors> parsed = parse_axes(axes);
  bool agrees = parsed.size() == shape.size();
  std::vector<std::string> wanted;
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    const bool known =
        std::ranges::all_of(parsed[i], [this](const std::string& factor) { return is_known(factor); });
    const std::optional<std::int64_t> product = known_product(parsed[i]);
    if (!product) {
      wanted.push_back("more than 2^63");
    } else if (known) {
      wanted.push_back(std::to_string(*product));
    } else {
      wanted.push_back(*product == 1 ? "any" : fmt::format("a multiple of {}", *product));
    }
    agrees = agrees && known && product == shape[i];
  }
  if (agrees) return "";
  return fmt::format("shape {} found, {} = [{}] wanted", to_string(shape), in_brackets(axes),
                     fmt::join(wanted, ", "));
}

}  // namespace deformdiff
