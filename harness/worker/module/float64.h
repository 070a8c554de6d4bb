// A module in double: the same graph over wider numbers.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

namespace deformdiff::worker {

/// A copy whose floating parameters, buffers and other tensors are double.
torch::jit::Module widened(const torch::jit::Module& module);

/// Makes the graph's floating constants double, and the dtypes that it asks for where they are floating.
void widen(torch::jit::Graph& graph);

/// While it lives, what gets no dtype is double.
class DoubleByDefault {
 public:
  DoubleByDefault();
  ~DoubleByDefault();
  DoubleByDefault(const DoubleByDefault&) = delete;
  DoubleByDefault& operator=(const DoubleByDefault&) = delete;

 private:
  caffe2::TypeMeta before_;
};

}  // namespace deformdiff::worker
