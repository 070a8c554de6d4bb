// Models of float32 as LibTorch's autocast runs them.
#pragma once

#include "subjects/function_subject.h"

namespace deformdiff::worker {

/// `function` under autocast to bfloat16 on the CPU: LibTorch's list for the CPU casts operands of matrix
/// products and convolutions, and few others to float32.
BlockFunction under_autocast(BlockFunction function);

}  // namespace deformdiff::worker
