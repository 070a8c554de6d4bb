// Oracles of float16 and bfloat16, made of those of float32: README, "16-bit types".
#pragma once

#include "core/oracle.h"

#include <map>
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

/// The oracle of cases of `operation` whose result is float32, though inputs may have 16 bits. `storage` are
/// those whose steps round in a 16-bit type, by the type. None of them is copied.
std::unique_ptr<const Oracle> float32_result_oracle(const std::string& operation, const Oracle& float32,
                                                    const std::map<DType, const Oracle*>& storage);

}  // namespace deformdiff::operation
