#include "core/number.h"

#include "core/error.h"
#include "core/sixteen_bits.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace deformdiff {
namespace {

/// `value` as a number of a 16-bit format: to nearest, ties to even, infinite where that is beyond the
/// largest.
template <typename Value>
double rounded_once(Value value, const SixteenBitFormat& format) {
  if (!std::isfinite(value) || value == 0) return static_cast<double>(value);
  const int exponent = std::max(std::ilogb(value), format.least_exponent) - (format.precision - 1);
  const Value quantum = std::ldexp(Value(1), exponent);
  const Value rounded = std::nearbyint(value / quantum) * quantum;
  if (std::abs(rounded) > format.largest)
    return std::copysign(std::numeric_limits<double>::infinity(), static_cast<double>(value));
  return static_cast<double>(std::copysign(rounded, value));
}

}  // namespace

double load_number(DType dtype, const std::byte* at) {
  const auto read = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  switch (dtype) {
    case DType::kFloat32:
      return read(0.0F);
    case DType::kFloat64:
      return read(0.0);
    case DType::kFloat16:
      return float16_to_float(read(std::uint16_t{}));
    case DType::kBFloat16:
      return bfloat16_to_float(read(std::uint16_t{}));
    case DType::kInt64:
      return static_cast<double>(read(std::int64_t{}));
    case DType::kBool:
    case DType::kUInt8:
      return read(std::uint8_t{});
  }
  throw InternalError("a number of no known dtype");
}

void store_number(long double value, DType dtype, std::byte* at) {
  const auto put = [at](auto typed) { std::memcpy(at, &typed, sizeof typed); };
  switch (dtype) {
    case DType::kFloat32:
      return put(static_cast<float>(value));
    case DType::kFloat64:
      return put(static_cast<double>(value));
    case DType::kInt64:
      return put(static_cast<std::int64_t>(value));
    case DType::kBool:
      return put(static_cast<std::uint8_t>(value != 0));
    case DType::kUInt8:
      return put(static_cast<std::uint8_t>(value));
    case DType::kFloat16:
      return put(float16_of(static_cast<float>(rounded_once(value, kFloat16Format))));
    case DType::kBFloat16:
      return put(bfloat16_of(static_cast<float>(rounded_once(value, kBFloat16Format))));
  }
  throw InternalError("a number of no known dtype");
}

}  // namespace deformdiff
