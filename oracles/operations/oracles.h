// The oracles of the operations in operations.h, file by file, beside ms_deform_attn's.
#pragma once

#include "core/oracle.h"

#include <map>
#include <string>

namespace deformdiff::operation {

/// By name: the oracle of subjects whose steps round in a floating dtype. Where that has 16 bits the case's
/// tensors are float32 that hold its numbers.
using OperationTable = std::map<std::string, const Oracle& (*)(DType dtype)>;

OperationTable elementwise_operations();  ///< add, scale, mean_heads
OperationTable exact_operations();        ///< what never rounds
OperationTable gelu_operations();
OperationTable norms_operations();
OperationTable points_operations();
OperationTable positions_operations();  ///< sine position embeddings
OperationTable products_operations();   ///< sums of products
OperationTable resize_operations();
OperationTable sigmoid_operations();  ///< sigmoid and its threshold
OperationTable softmax_operations();

}  // namespace deformdiff::operation
