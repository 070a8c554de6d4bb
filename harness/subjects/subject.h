// An implementation inside a worker. This header and everything behind it may use LibTorch; nothing of it is
// seen by the parent.
#pragma once

#include "core/attributes.h"
#include "core/subject_info.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

namespace deformdiff::worker {

/// Where an implementation shows the values of its stages while it runs.
class Taps {
 public:
  virtual ~Taps() = default;

  /// The value of stage `name`. What is returned is what the implementation goes on with: the same tensor,
  /// unless a fault wants it otherwise.
  virtual at::Tensor show(const std::string& name, const at::Tensor& value) = 0;
};

/// One call: a case with its tensors on the subject's device.
struct Call {
  const std::string& block;
  const Attributes& attributes;
  const std::vector<std::string>& names;  ///< of the inputs
  const std::vector<at::Tensor>& inputs;
  Taps* taps = nullptr;  ///< null where nothing is to be shown

  /// Throws c10::ValueError if there is no input of that name.
  const at::Tensor& input(std::string_view name) const;
  const at::Tensor* find_input(std::string_view name) const;  ///< nullptr if there is none of that name
  double number(const std::string& name) const;
  std::int64_t integer(const std::string& name) const;
};

class Subject {
 public:
  virtual ~Subject() = default;

  /// Name, blocks, Precision and Contract: fixed for the life of the worker.
  virtual SubjectInfo info() const = 0;

  /// Makes the subject's device usable: loads the libraries that its inputs need. Called before the
  /// inputs of each call are made; throws what the loader says.
  virtual void prepare() {}

  /// Computes the block's outputs, in order, from its inputs, which come in the case's order and with the
  /// storage layout that it asks for; inputs and outputs are on the subject's device. Throws
  /// c10::NotImplementedError for what it does not do; anything else it throws, and anything it breaks, is a
  /// verdict about it.
  virtual std::vector<at::Tensor> run(const Call& call) = 0;
};

using SubjectList = std::vector<std::unique_ptr<Subject>>;

}  // namespace deformdiff::worker
