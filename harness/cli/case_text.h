// A case for people: what its tensors are, their numbers, and what it is that has broken kernels before.
#pragma once

#include "core/case.h"
#include "engine/block_entry.h"

#include <string>

namespace deformdiff::cli {

/// Block, attributes, sizes by name, each tensor with its range and what is special among its numbers, the
/// small ones with all of them, and the trigger classes that the case hits.
std::string case_text(const BlockEntry& entry, const Case& c);

/// "value  float32 [1, 2, 1, 1]  1 to 2.5", and the numbers where there are at most kShownElements.
std::string tensor_text(const std::string& name, const Tensor& tensor);

constexpr std::int64_t kShownElements = 64;

}  // namespace deformdiff::cli
