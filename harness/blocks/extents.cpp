#include "blocks/extents.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// "[F, M*D]"
std::string in_brackets(const std::string& axes) {
  std::string text = axes;
  for (std::size_t at = text.find(' '); at != std::string::npos; at = text.find(' ', at + 2))
    text.replace(at, 1, ", ");
  return "[" + text + "]";
}

}  // namespace

ExtentRole role_of(const std::string& extent) {
  if (extent == "B") return ExtentRole::kBatch;
  if (extent == "Q" || extent == "K") return ExtentRole::kLength;
  if (extent == "S") return ExtentRole::kPixels;
  const bool side = extent.size() == 1 || is_number(extent.substr(1));
  if (side && extent[0] == 'H') return ExtentRole::kHeight;
  if (side && extent[0] == 'W') return ExtentRole::kWidth;
  return ExtentRole::kFixed;
}

std::vector<Axis> parse_axes(const std::string& axes) {
  std::vector<Axis> parsed;
  std::istringstream words(axes);
  for (std::string word; words >> word;) {
    Axis axis;
    std::istringstream factors(word);
    for (std::string factor; std::getline(factors, factor, '*');) {
      if (is_number(factor)) {
        axis.number *= std::stoll(factor);
      } else {
        axis.names.push_back(factor);
      }
    }
    parsed.push_back(axis);
  }
  return parsed;
}

std::optional<std::int64_t> ExtentSolver::known_product(const Axis& axis) const {
  std::int64_t product = axis.number;
  for (const std::string& name : axis.names) {
    const auto found = extents_.find(name);
    if (found != extents_.end() && __builtin_mul_overflow(product, found->second, &product))
      return std::nullopt;
  }
  return product;
}

bool ExtentSolver::learn(const std::string& axes, const Shape& shape) {
  const std::vector<Axis> parsed = parse_axes(axes);
  if (parsed.size() != shape.size()) return false;
  bool learnt = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    std::vector<std::string> unknown;
    for (const std::string& name : parsed[i].names) {
      if (!extents_.contains(name)) unknown.push_back(name);
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
  const std::vector<Axis> parsed = parse_axes(axes);
  bool agrees = parsed.size() == shape.size();
  std::vector<std::string> wanted;
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    bool known = true;
    for (const std::string& name : parsed[i].names) known = known && extents_.contains(name);
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
