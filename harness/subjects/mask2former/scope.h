// Where a module of the model finds its parameters and shows its stages: both are named by its path.
#pragma once

#include "subjects/function_subject.h"
#include "subjects/subject.h"

#include <string>
#include <string_view>

namespace deformdiff::worker::mask2former {

class Scope {
 public:
  Scope(const Call& call, const MsDeformAttnFunction& op) : call_(&call), op_(&op) {}

  /// The submodule of that name; several names joined by dots are a path.
  Scope child(std::string_view name) const;
  /// The same of its `index`-th, as in "layers.3".
  Scope child(std::string_view name, std::int64_t index) const;
  /// The module in its call `k` of several: its stages are named "PATH#k".
  Scope time(std::int64_t k) const;

  const at::Tensor& parameter(std::string_view name) const;
  const at::Tensor* find_parameter(std::string_view name) const;  ///< nullptr if there is none

  /// Shows stage `name` of this module; what is returned is what the model goes on with.
  at::Tensor show(std::string_view name, const at::Tensor& value) const;
  /// Shows what the module puts out. A block's outermost module has no name, and no stage of its own.
  at::Tensor show(const at::Tensor& value) const;

  /// A switch of the block, off where the case does not say.
  bool is_set(const std::string& attribute) const;
  const Call& call() const { return *call_; }

  at::Tensor ms_deform_attn(const ms_deform_attn::Inputs& inputs) const { return (*op_)(inputs); }

 private:
  const Call* call_;
  const MsDeformAttnFunction* op_;
  std::string path_;    ///< empty, or ends in a dot
  std::string suffix_;  ///< empty, or "#k"
};

// Layers with the parameters of submodule `name`, whose stage their result is.
at::Tensor linear(const Scope& scope, std::string_view name, const at::Tensor& x);
at::Tensor layer_norm(const Scope& scope, std::string_view name, const at::Tensor& x);
at::Tensor group_norm(const Scope& scope, std::string_view name, const at::Tensor& x);
at::Tensor convolution(const Scope& scope, std::string_view name, const at::Tensor& x,
                       std::int64_t padding = 0);
at::Tensor relu(const Scope& scope, std::string_view name, const at::Tensor& x);
at::Tensor gelu(const Scope& scope, std::string_view name, const at::Tensor& x);

}  // namespace deformdiff::worker::mask2former
