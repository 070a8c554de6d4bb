#include "subjects/gradients.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

namespace deformdiff::worker {

std::vector<at::Tensor> gradients(const std::function<at::Tensor(const std::vector<at::Tensor>&)>& function,
                                  const std::vector<at::Tensor>& inputs, const at::Tensor& grad_output) {
  const at::AutoGradMode enabled(true);
  std::vector<at::Tensor> arguments, leaves;
  for (const at::Tensor& input : inputs) {
    arguments.push_back(input.detach());
    if (input.is_floating_point()) leaves.push_back(arguments.back().requires_grad_());
  }
  const at::Tensor result = function(arguments);
  std::vector<at::Tensor> found(leaves.size());
  if (result.requires_grad()) {
    found = torch::autograd::grad({result}, leaves, {grad_output}, /*retain_graph=*/std::nullopt,
                                  /*create_graph=*/false, /*allow_unused=*/true);
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!found[i].defined()) found[i] = at::zeros_like(leaves[i].detach());
  }
  return found;
}

}  // namespace deformdiff::worker
