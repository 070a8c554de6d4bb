// Oracles of float16 and bfloat16, made of those of float32: README, "16-bit types".
#pragma once

#include "core/oracle.h"

#include <memory>
#include <string>

namespace deformdiff::operation {

/// The oracles of one operation for cases of float32 tensors.
struct FormatOracles {
  const Oracle& wide;     ///< steps round in float32
  const Oracle& storage;  ///< steps round in the 16-bit type
};

/// The oracle of cases of `operation` whose floating tensors are of a 16-bit `dtype`.
std::unique_ptr<const Oracle> sixteen_bit_oracle(const std::string& operation, DType dtype,
                                                 FormatOracles oracles);

}  // namespace deformdiff::operation
