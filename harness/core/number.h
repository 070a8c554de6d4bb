// One number in memory, in any dtype.
#pragma once

#include "core/dtype.h"

#include <cstddef>

namespace deformdiff {

/// The number at `at`, widened: float16 and bfloat16 too, a bool as its byte.
double load_number(DType dtype, const std::byte* at);

/// Stores what a number becomes in `dtype`, rounded once, to nearest; a bool says whether it is not 0.
void store_number(long double value, DType dtype, std::byte* at);

}  // namespace deformdiff
