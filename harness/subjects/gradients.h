// Gradients that autograd gives.
#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker {

/// The gradients of the sum of grad_output * function(inputs), one for each floating input, in order.
/// `function` is called with copies of `inputs` that share their memory and require gradients. Zeros for what
/// the result does not depend on. Works with autograd switched off, too.
std::vector<at::Tensor> gradients(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& function,
                                  const std::vector<at::Tensor>& inputs, const at::Tensor& grad_output);

}  // namespace deformdiff::worker
