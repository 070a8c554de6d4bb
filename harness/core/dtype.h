// Element types of tensors, and what their arithmetic can and cannot represent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace deformdiff {

enum class DType : std::uint8_t { kFloat32, kFloat64, kFloat16, kBFloat16, kInt64, kBool, kUInt8 };

/// Bytes an element takes.
std::size_t size_of(DType dtype);

/// Name in output, case files and declarations: "float32", "int64", "bool", ...
std::string_view name_of(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);

/// Name in safetensors headers: "F32", "I64", "BOOL", ...
std::string_view safetensors_name_of(DType dtype);
std::optional<DType> dtype_from_safetensors_name(std::string_view name);

bool is_floating(DType dtype);

/// The numbers a rounding error analysis needs of a floating type (IEEE 754 binary formats).
struct FloatFormat {
  double unit_roundoff;       ///< u: half the distance from 1 to the next number; 2^-24 for float32
  double smallest_normal;     ///< 2^-126 for float32
  double smallest_subnormal;  ///< 2^-149 for float32
  double largest;             ///< largest finite number
  int precision;              ///< significand bits, the implicit one included; 24 for float32
};

/// Requires is_floating(dtype).
FloatFormat float_format(DType dtype);

}  // namespace deformdiff
