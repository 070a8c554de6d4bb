// From a dtype to the C++ type of its elements and back: the one place that knows which floating types the
// parent computes in. Those of 16 bits are widened first: core/sixteen_bits.h.
#pragma once

#include "core/dtype.h"
#include "core/error.h"

#include <string>

namespace deformdiff {

/// The dtype whose elements are of type T; no DType for another type.
template <typename T>
constexpr auto kDTypeOf = nullptr;
template <>
inline constexpr DType kDTypeOf<float> = DType::kFloat32;
template <>
inline constexpr DType kDTypeOf<double> = DType::kFloat64;

/// work(float{}) or work(double{}). Requires one of these dtypes.
template <typename Work>
decltype(auto) with_floating(DType dtype, const Work& work) {
  switch (dtype) {
    case DType::kFloat32:
      return work(float{});
    case DType::kFloat64:
      return work(double{});
    default:
      throw InternalError("nothing computes in " + std::string(name_of(dtype)));
  }
}

}  // namespace deformdiff
