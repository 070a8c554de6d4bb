#include "cli/emit/python_text.h"

#include "core/element_text.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

constexpr std::size_t kLineWidth = 100;

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      three = three << 8U | (k < count ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? kDigits[three >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

/// The words in brackets, in lines that can be read.
std::string list_text(const std::vector<std::string>& words) {
  std::string text = "[";
  std::size_t column = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += column + words[i].size() > kLineWidth ? ",\n    " : ", ";
    column = column + words[i].size() > kLineWidth ? words[i].size() : column + words[i].size() + 2;
    text += words[i];
  }
  return text + "]";
}

/// Whether every number can be listed: not the bits of a NaN other than the usual one, nor a bool that is
/// neither 0 nor 1.
bool can_be_listed(const Tensor& tensor) {
  const std::size_t size = size_of(tensor.dtype()), count = tensor.storage().size() / size;
  if (static_cast<std::int64_t>(count) > kListedElements) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* const element = tensor.storage().data() + i * size;
    if (element_text(tensor.dtype(), element).starts_with("\"0x")) return false;
    if (tensor.dtype() == DType::kBool && std::to_integer<int>(*element) > 1) return false;
  }
  return true;
}

/// With a point or an exponent: an integer of Python has no -0.
template <typename Float>
std::string shortest_text(Float value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

/// A float32 as short as it can be, unless reading it as float64 first would round it otherwise.
std::string element_word(const Tensor& storage, std::int64_t i) {
  const double value = storage.element(i);
  if (!is_floating(storage.dtype())) return fmt::format("{}", static_cast<std::int64_t>(value));
  if (storage.dtype() != DType::kFloat32) return python_number(value);
  if (!std::isfinite(value)) return python_number(value);
  const auto number = static_cast<float>(value);
  const std::string text = shortest_text(number);
  return static_cast<float>(std::stod(text)) == number ? text : python_number(value);
}

std::string storage_text(const Tensor& tensor) {
  const auto count = static_cast<std::int64_t>(tensor.storage().size() / size_of(tensor.dtype()));
  if (!can_be_listed(tensor)) return fmt::format("\"{}\"", base64(tensor.storage()));
  std::vector<std::string> words;
  if (tensor.dtype() == DType::kInt64) {
    for (std::int64_t i = 0; i < count; ++i)
      words.push_back(fmt::format("{}", tensor.storage_as<std::int64_t>()[i]));
    return list_text(words);
  }
  const Tensor flat(tensor.dtype(), {count}, {1}, 0, tensor.shared_storage());
  for (std::int64_t i = 0; i < count; ++i) words.push_back(element_word(flat, i));
  return list_text(words);
}

std::string step_text(const ViewStep& step) {
  switch (step.kind) {
    case ViewStep::Kind::kReshape:
      return fmt::format(".reshape({})", python_tuple(step.arguments));
    case ViewStep::Kind::kPermute:
      return fmt::format(".transpose({})", python_tuple(step.arguments));
    case ViewStep::Kind::kNarrow:
      return fmt::format(
          "[{}{}:{}]",
          fmt::join(std::vector<std::string>(static_cast<std::size_t>(step.arguments.at(0)), ":, "), ""),
          step.arguments.at(1), step.arguments.at(1) + step.arguments.at(2));
    case ViewStep::Kind::kExpand:
      break;
  }
  return "";
}

}  // namespace

std::string python_string(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '\\' || c == '\'') {
      quoted += std::string("\\") + c;
    } else {
      quoted += code < ' ' || code == 127 ? fmt::format("\\x{:02x}", code) : std::string(1, c);
    }
  }
  return quoted + "'";
}

std::string python_tuple(const Shape& sizes) {
  return fmt::format("({}{})", fmt::join(sizes, ", "), sizes.size() == 1 ? "," : "");
}

std::string python_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return shortest_text(value);
}

std::string python_numbers(const std::vector<double>& values) {
  if (static_cast<std::int64_t>(values.size()) > kListedElements)
    return fmt::format("\"{}\"", base64(std::as_bytes(std::span(values))));
  std::vector<std::string> words;
  for (const double value : values) words.push_back(python_number(value));
  return list_text(words);
}

std::string python_tensor(const Tensor& tensor) {
  std::string text = fmt::format("tensor('{}', {}, {}", name_of(tensor.dtype()), python_tuple(tensor.shape()),
                                 storage_text(tensor));
  if (!tensor.is_contiguous())
    text += fmt::format(", {}, {}", python_tuple(tensor.strides()), tensor.offset());
  return text + ")";
}

std::string python_wide_tensor(const Tensor& tensor) {
  if (!is_floating(tensor.dtype())) return python_tensor(tensor.contiguous());
  std::vector<double> values(static_cast<std::size_t>(tensor.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = tensor.element(static_cast<std::int64_t>(i));
  return fmt::format("tensor('float64', {}, {})", python_tuple(tensor.shape()), python_numbers(values));
}

std::string python_view(const View& view) {
  std::string text = "value";
  for (const ViewStep& step : view) {
    text = step.kind == ViewStep::Kind::kExpand
               ? fmt::format("np.broadcast_to({}, {})", text, python_tuple(step.arguments))
               : text + step_text(step);
  }
  return text;
}

}  // namespace deformdiff::cli
