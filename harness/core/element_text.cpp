#include "core/element_text.h"

#include "core/error.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Where the bits of an IEEE 754 binary format lie.
struct BinaryFormat {
  int bits;
  int fraction_bits;
  int min_exponent;  ///< of normal numbers

  std::uint64_t infinity() const {
    const std::uint64_t exponent_ones = (std::uint64_t{1} << (bits - 1 - fraction_bits)) - 1;
    return exponent_ones << fraction_bits;
  }
  std::uint64_t sign() const { return std::uint64_t{1} << (bits - 1); }
  std::uint64_t canonical_nan() const { return infinity() | std::uint64_t{1} << (fraction_bits - 1); }
};

BinaryFormat format_of(DType dtype) {
  const FloatFormat format = float_format(dtype);
  return {static_cast<int>(8 * size_of(dtype)), format.precision - 1, std::ilogb(format.smallest_normal)};
}

std::uint64_t load_bits(std::size_t size, const std::byte* element) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, element, size);
  return bits;
}

/// Of a finite pattern. Every one of these formats is exact in double.
double value_of(std::uint64_t bits, const BinaryFormat& format) {
  const std::uint64_t magnitude = bits & ~format.sign();
  const std::uint64_t exponent = magnitude >> format.fraction_bits;
  std::uint64_t fraction = magnitude & ((std::uint64_t{1} << format.fraction_bits) - 1);
  if (exponent > 0) fraction |= std::uint64_t{1} << format.fraction_bits;
  const int scale =
      format.min_exponent + static_cast<int>(exponent > 0 ? exponent - 1 : 0) - format.fraction_bits;
  const double value = std::ldexp(static_cast<double>(fraction), scale);
  return (bits & format.sign()) != 0 ? -value : value;
}

/// To nearest, ties to even; the pattern of infinity where it overflows.
std::uint64_t rounded(double value, const BinaryFormat& format) {
  const std::uint64_t sign = std::signbit(value) ? format.sign() : 0;
  const double magnitude = std::fabs(value);
  if (magnitude == 0) return sign;
  const int exponent = std::max(std::ilogb(magnitude), format.min_exponent);
  // A significand that rounds up to the next power of two carries into the exponent field by itself.
  const auto significand =
      static_cast<std::uint64_t>(std::nearbyint(std::ldexp(magnitude, format.fraction_bits - exponent)));
  const std::uint64_t bits =
      (static_cast<std::uint64_t>(exponent - format.min_exponent) << format.fraction_bits) + significand;
  return sign | std::min(bits, format.infinity());
}

std::string shortest_text(double value, std::uint64_t bits, const BinaryFormat& format) {
  // With a point, because JSON readers drop the sign of "-0".
  if (value == 0) return std::signbit(value) ? "-0.0" : "0";
  char buffer[64];
  const auto print = [&](auto number) {
    return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
  };
  if (format.bits < 64) {
    // A reader goes by way of double; where that second rounding would miss, double's own text is used.
    std::string text = print(static_cast<float>(value));
    if (rounded(std::strtod(text.c_str(), nullptr), format) == bits) return text;
  }
  return print(value);
}

std::string floating_text(DType dtype, std::uint64_t bits) {
  const BinaryFormat format = format_of(dtype);
  const std::uint64_t magnitude = bits & ~format.sign();
  if (magnitude < format.infinity()) return shortest_text(value_of(bits, format), bits, format);
  if (magnitude == format.infinity()) return bits == magnitude ? "\"inf\"" : "\"-inf\"";
  if (bits == format.canonical_nan()) return "\"nan\"";
  return fmt::format("\"0x{:0{}x}\"", bits, format.bits / 4);
}

std::uint64_t special_bits(const std::string& text, const BinaryFormat& format) {
  if (text == "inf") return format.infinity();
  if (text == "-inf") return format.infinity() | format.sign();
  if (text == "nan") return format.canonical_nan();
  std::uint64_t bits = 0;
  const char* const end = text.data() + text.size();
  const bool right_length =
      text.starts_with("0x") && text.size() == 2 + static_cast<std::size_t>(format.bits) / 4;
  if (right_length && std::from_chars(text.data() + 2, end, bits, 16).ptr == end &&
      (bits & ~format.sign()) > format.infinity()) {
    return bits;
  }
  throw InputError(
      fmt::format("\"{}\" is not \"inf\", \"-inf\", \"nan\" or the {} hexadecimal digits of a NaN behind 0x",
                  text, format.bits / 4));
}

std::uint64_t floating_bits(const Json& text, DType dtype) {
  const BinaryFormat format = format_of(dtype);
  if (text.is_string()) return special_bits(text.get<std::string>(), format);
  if (!text.is_number()) throw InputError(fmt::format("a number wanted, found {}", text.type_name()));
  // The JSON reader drops the sign of "-0": only a signed integer type is left of it.
  const bool minus_zero =
      text.is_number_integer() && !text.is_number_unsigned() && text.get<std::int64_t>() == 0;
  const std::uint64_t bits = rounded(minus_zero ? -0.0 : text.get<double>(), format);
  if ((bits & ~format.sign()) == format.infinity()) {
    throw InputError(
        fmt::format("{} is too large for {}; write \"inf\" for infinity", text.dump(), name_of(dtype)));
  }
  return bits;
}

std::int64_t integer(const Json& text, std::int64_t largest) {
  if (text.is_number_integer() && !(text.is_number_unsigned() && text.get<std::uint64_t>() > INT64_MAX)) {
    const auto value = text.get<std::int64_t>();
    if (largest == INT64_MAX || (value >= 0 && value <= largest)) return value;
  }
  throw InputError(largest == INT64_MAX ? "a 64-bit integer wanted"
                                        : fmt::format("an integer from 0 to {} wanted", largest));
}

}  // namespace

std::string element_text(DType dtype, const std::byte* element) {
  const std::uint64_t bits = load_bits(size_of(dtype), element);
  if (is_floating(dtype)) return floating_text(dtype, bits);
  return dtype == DType::kInt64 ? fmt::format("{}", static_cast<std::int64_t>(bits))
                                : fmt::format("{}", bits);
}

void read_element(const Json& text, DType dtype, std::byte* element) {
  const std::uint64_t bits =
      is_floating(dtype)
          ? floating_bits(text, dtype)
          : static_cast<std::uint64_t>(integer(text, dtype == DType::kInt64 ? INT64_MAX : UINT8_MAX));
  std::memcpy(element, &bits, size_of(dtype));
}

}  // namespace deformdiff
