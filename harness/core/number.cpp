#include "core/number.h"

#include "core/error.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

namespace deformdiff {
namespace {

float half_to_float(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const float sign = (bits >> 15) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) {
    return mantissa != 0 ? std::numeric_limits<float>::quiet_NaN()
                         : sign * std::numeric_limits<float>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
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
      return half_to_float(read(std::uint16_t{}));
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
    case DType::kBFloat16:
      break;
  }
  throw InputError("cannot convert a number to " + std::string(name_of(dtype)));
}

}  // namespace deformdiff
