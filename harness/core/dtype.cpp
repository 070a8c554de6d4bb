#include "core/dtype.h"

#include "core/error.h"

#include <array>
#include <cmath>
#include <limits>

namespace deformdiff {
namespace {

struct Row {
  DType dtype;
  std::size_t size;
  std::string_view name;
  std::string_view safetensors;
  bool floating;
};

constexpr std::array<Row, 7> kRows{{
    {DType::kFloat32, 4, "float32", "F32", true},
    {DType::kFloat64, 8, "float64", "F64", true},
    {DType::kFloat16, 2, "float16", "F16", true},
    {DType::kBFloat16, 2, "bfloat16", "BF16", true},
    {DType::kInt64, 8, "int64", "I64", false},
    {DType::kBool, 1, "bool", "BOOL", false},
    {DType::kUInt8, 1, "uint8", "U8", false},
}};

const Row& row_of(DType dtype) {
  return kRows[static_cast<std::size_t>(dtype)];
}

FloatFormat binary_format(int precision, int min_exponent, int max_exponent) {
  return {std::ldexp(1.0, -precision), std::ldexp(1.0, min_exponent),
          std::ldexp(1.0, min_exponent - (precision - 1)),
          std::ldexp(2.0 - std::ldexp(1.0, 1 - precision), max_exponent), precision};
}

}  // namespace

std::size_t size_of(DType dtype) {
  return row_of(dtype).size;
}
std::string_view name_of(DType dtype) {
  return row_of(dtype).name;
}
std::string_view safetensors_name_of(DType dtype) {
  return row_of(dtype).safetensors;
}
bool is_floating(DType dtype) {
  return row_of(dtype).floating;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::optional<DType> dtype_from_safetensors_name(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.safetensors == name) return row.dtype;
  }
  return std::nullopt;
}

FloatFormat float_format(DType dtype) {
  DEFORMDIFF_CHECK(is_floating(dtype));
  switch (dtype) {
    case DType::kFloat32:
      return binary_format(24, -126, 127);
    case DType::kFloat16:
      return binary_format(11, -14, 15);
    case DType::kBFloat16:
      return binary_format(8, -126, 127);
    default:
      return binary_format(53, -1022, 1023);
  }
}

}  // namespace deformdiff
