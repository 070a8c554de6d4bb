// One number in memory, in any dtype.
#pragma once

#include "core/dtype.h"

#include <cstddef>

namespace deformdiff {

/// The number at `at`, widened: float16 and bfloat16 too, a bool as its byte.
double load_number(DType dtype, const std::byte* at);

/// Stores what a number becomes in `dtype`, rounded once; a bool says whether it is not 0. Throws InputError
/// for float16 and bfloat16, to which nothing rounds here.
void store_number(long double value, DType dtype, std::byte* at);

}  // namespace deformdiff
