// An implementation inside a worker. This header and everything behind it may use LibTorch; nothing of it is
// seen by the parent.
#pragma once

#include "core/subject_info.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker {

class Subject {
 public:
  virtual ~Subject() = default;

  /// Name, blocks, Precision and Contract: fixed for the life of the worker.
  virtual SubjectInfo info() const = 0;

  /// Makes the subject's device usable: loads the libraries that its inputs need. Called before the
  /// inputs of each call are made; throws what the loader says.
  virtual void prepare() {}

  /// Computes the block's outputs, in order, from its inputs in the block's order, with the layout that the
  /// case asks for; inputs and outputs are on the subject's device. Throws c10::NotImplementedError for what
  /// it does not do; anything else it throws, and anything it breaks, is a verdict about it.
  virtual std::vector<at::Tensor> run(const std::map<std::string, std::int64_t>& attributes,
                                      const std::vector<at::Tensor>& inputs) = 0;
};

using SubjectList = std::vector<std::unique_ptr<Subject>>;

}  // namespace deformdiff::worker
