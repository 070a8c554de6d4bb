#include "cli/case_text.h"

#include "core/element_text.h"
#include "reports/layout.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

/// What the elements of a tensor are, counted.
struct Numbers {
  double smallest = std::numeric_limits<double>::infinity(), largest = -smallest;  ///< of the finite ones
  std::int64_t nans = 0, infinities = 0, zeros = 0, finite = 0;
};

Numbers numbers_of(const Tensor& tensor) {
  Numbers numbers;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const double value = tensor.element(i);
    numbers.nans += std::isnan(value) ? 1 : 0;
    numbers.infinities += std::isinf(value) ? 1 : 0;
    if (!std::isfinite(value)) continue;
    ++numbers.finite;
    numbers.zeros += value == 0 ? 1 : 0;
    numbers.smallest = std::min(numbers.smallest, value);
    numbers.largest = std::max(numbers.largest, value);
  }
  return numbers;
}

std::string range_text(const Tensor& tensor) {
  const Numbers numbers = numbers_of(tensor);
  if (tensor.elements() == 0) return "empty";
  std::vector<std::string> parts;
  if (numbers.finite > 0) {
    parts.push_back(numbers.smallest == numbers.largest
                        ? fmt::format("all {:.6g}", numbers.smallest)
                        : fmt::format("{:.6g} to {:.6g}", numbers.smallest, numbers.largest));
  }
  const auto add = [&](std::int64_t count, const char* what) {
    if (count > 0) parts.push_back(fmt::format("{} {}", count, what));
  };
  if (numbers.smallest != numbers.largest) add(numbers.zeros, "zero");
  add(numbers.nans, "NaN");
  add(numbers.infinities, "infinite");
  if (!tensor.is_contiguous()) parts.push_back(fmt::format("strides {}", to_string(tensor.strides())));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// "1.5", "nan" without the quotes of JSON.
std::string number_text(const Tensor& contiguous, std::int64_t element) {
  std::string text =
      element_text(contiguous.dtype(), contiguous.storage().data() +
                                           static_cast<std::size_t>(element) * size_of(contiguous.dtype()));
  std::erase(text, '"');
  return text;
}

/// A line a row of the last axis, its index before it.
std::string rows_text(const Tensor& tensor) {
  const Tensor contiguous = tensor.contiguous();
  const std::int64_t width = tensor.shape().empty() ? 1 : tensor.shape().back();
  std::vector<std::string> words;
  std::size_t longest = 0;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    words.push_back(number_text(contiguous, i));
    longest = std::max(longest, words.back().size());
  }
  std::string text;
  Shape index(tensor.shape().empty() ? 0 : tensor.shape().size() - 1, 0);
  for (std::int64_t i = 0; i < tensor.elements(); i += width) {
    std::string row;
    for (std::int64_t k = i; k < i + width; ++k)
      row += fmt::format(" {:>{}}", words[static_cast<std::size_t>(k)], longest);
    text += fmt::format("    {}{}\n", index.empty() ? "" : to_string(index) + ":", row);
    for (std::size_t axis = index.size(); axis-- > 0 && ++index[axis] == tensor.shape()[axis];)
      index[axis] = 0;
  }
  return text;
}

}  // namespace

std::string tensor_text(const std::string& name, const Tensor& tensor) {
  std::string text = fmt::format("  {}  {} {}  {}\n", name, name_of(tensor.dtype()),
                                 to_string(tensor.shape()), range_text(tensor));
  const bool says_more = tensor.elements() > 1 && tensor.elements() <= kShownElements;
  return says_more ? text + rows_text(tensor) : text;
}

std::string case_text(const BlockEntry& entry, const Case& c) {
  const auto joined = [](const auto& numbers) {
    std::vector<std::string> parts;
    for (const auto& [name, value] : numbers) parts.push_back(fmt::format("{}={}", name, value));
    return fmt::format("{}", fmt::join(parts, ", "));
  };
  constexpr std::size_t kIndent = 12;
  std::string text = wrapped("block       ", c.block, kIndent);
  text += wrapped("attributes  ", joined(c.attributes), kIndent);
  text += wrapped("sizes       ", joined(entry.block->dimensions(c)), kIndent);
  if (!c.provenance.tier.empty()) {
    text += wrapped("made by     ",
                    fmt::format("{}, tier {}, seed {}, index {}", c.provenance.generator, c.provenance.tier,
                                c.provenance.seed, c.provenance.index),
                    kIndent);
  }
  const std::vector<std::string> hit = entry.generator->triggers_hit(c);
  text += wrapped("triggers    ", hit.empty() ? "none" : fmt::format("{}", fmt::join(hit, ", ")), kIndent);
  text += "\n";
  for (const auto& [name, tensor] : c.inputs) text += tensor_text(name, tensor);
  return text;
}

}  // namespace deformdiff::cli
