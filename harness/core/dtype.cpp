#include "core/dtype.h"

#include "core/error.h"

#include <array>

namespace deformdiff {
namespace {

struct Row {
  DType dtype;
  std::size_t size;
  std::string_view name;
  std::string_view safetensors;
  FloatFormat format;  ///< no precision: not floating
};

constexpr std::array<Row, 7> kRows{{
    {DType::kFloat32, 4, "float32", "F32", {0x1p-24, 0x1p-126, 0x1p-149, 0x1.fffffep127, 24}},
    {DType::kFloat64, 8, "float64", "F64", {0x1p-53, 0x1p-1022, 0x1p-1074, 0x1.fffffffffffffp1023, 53}},
    {DType::kFloat16, 2, "float16", "F16", {0x1p-11, 0x1p-14, 0x1p-24, 0x1.ffcp15, 11}},
    {DType::kBFloat16, 2, "bfloat16", "BF16", {0x1p-8, 0x1p-126, 0x1p-133, 0x1.fep127, 8}},
    {DType::kInt64, 8, "int64", "I64", {}},
    {DType::kBool, 1, "bool", "BOOL", {}},
    {DType::kUInt8, 1, "uint8", "U8", {}},
}};

const Row& row_of(DType dtype) {
  return kRows[static_cast<std::size_t>(dtype)];
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
  return row_of(dtype).format.precision > 0;
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
  return row_of(dtype).format;
}

}  // namespace deformdiff
