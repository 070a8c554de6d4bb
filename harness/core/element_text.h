// One tensor element as JSON text that people can read, exact to the bit.
#pragma once

#include "core/dtype.h"
#include "core/strict_json.h"

#include <cstddef>
#include <string>

namespace deformdiff {

/// Floating: the shortest decimal that reads back to the same bits ("-0.0" keeps its sign),
/// "inf", "-inf", "nan" (the canonical quiet NaN) or the bits of any other NaN ("0x7fc00001") as strings.
/// Others: an integer; bool is its byte.
std::string element_text(DType dtype, const std::byte* element);

/// The inverse; also takes any other decimal, rounded to nearest. Throws InputError saying what is wrong,
/// without saying where.
void read_element(const Json& text, DType dtype, std::byte* element);

}  // namespace deformdiff
