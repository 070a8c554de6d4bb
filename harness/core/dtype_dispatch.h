// From a dtype to the C++ type of its elements and back: the one place that knows which floating types are
// computed with.
#pragma once

#include "core/dtype.h"
#include "core/error.h"

#include <string>

namespace deformdiff {

/// Whether oracles, comparator and generators take this floating dtype: float32 and float64.
constexpr bool is_judged(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

/// Names of those dtypes, for messages.
constexpr const char* kJudgedDTypes = "float32 and float64";
constexpr const char* kOneJudgedDType = "float32 or float64";

/// The dtype whose elements are of type T; no DType for a type that is not judged.
template <typename T>
constexpr auto kDTypeOf = nullptr;
template <>
inline constexpr DType kDTypeOf<float> = DType::kFloat32;
template <>
inline constexpr DType kDTypeOf<double> = DType::kFloat64;

/// work(float{}) or work(double{}). Throws InputError for a dtype that is not judged.
template <typename Work>
decltype(auto) with_floating(DType dtype, const Work& work) {
  switch (dtype) {
    case DType::kFloat32:
      return work(float{});
    case DType::kFloat64:
      return work(double{});
    default:
      throw InputError(std::string(kJudgedDTypes) + " are judged, " + std::string(name_of(dtype)) + " found");
  }
}

}  // namespace deformdiff
