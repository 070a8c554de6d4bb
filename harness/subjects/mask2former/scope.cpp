#include "subjects/mask2former/scope.h"

#include "blocks/block_definition.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>

namespace deformdiff::worker::mask2former {

Scope Scope::child(std::string_view name) const {
  Scope scope = *this;
  scope.path_.append(name) += '.';
  return scope;
}

Scope Scope::child(std::string_view name, std::int64_t index) const {
  return child(name).child(std::to_string(index));
}

Scope Scope::time(std::int64_t k) const {
  Scope scope = *this;
  scope.suffix_ = '#';
  scope.suffix_ += std::to_string(k);
  return scope;
}

const at::Tensor* Scope::find_parameter(std::string_view name) const {
  return call_->find_input(std::string(kParameterPrefix) + path_ + std::string(name));
}

const at::Tensor& Scope::parameter(std::string_view name) const {
  return call_->input(std::string(kParameterPrefix) + path_ + std::string(name));
}

at::Tensor Scope::show(std::string_view name, const at::Tensor& value) const {
  if (call_->taps == nullptr) return value;
  return call_->taps->show(path_ + std::string(name) + suffix_, value);
}

at::Tensor Scope::show(const at::Tensor& value) const {
  if (call_->taps == nullptr || path_.empty()) return value;
  return call_->taps->show(path_.substr(0, path_.size() - 1) + suffix_, value);
}

bool Scope::is_set(const std::string& attribute) const {
  const auto found = call_->attributes.find(attribute);
  return found != call_->attributes.end() && found->second != 0;
}

at::Tensor linear(const Scope& scope, std::string_view name, const at::Tensor& x) {
  const Scope layer = scope.child(name);
  return layer.show(at::linear(x, layer.parameter("weight"), layer.parameter("bias")));
}

at::Tensor layer_norm(const Scope& scope, std::string_view name, const at::Tensor& x) {
  const Scope layer = scope.child(name);
  return layer.show(at::layer_norm(x, {x.size(-1)}, layer.parameter("weight"), layer.parameter("bias"),
                                   scope.call().number("eps")));
}

at::Tensor group_norm(const Scope& scope, std::string_view name, const at::Tensor& x) {
  const Scope layer = scope.child(name);
  // Of channels that lie last LibTorch's kernel takes mean(x^2) - mean^2, which is not what is declared. A
  // map of one pixel may be contiguous and have such strides.
  return layer.show(at::group_norm(x.clone(at::MemoryFormat::Contiguous),
                                   scope.call().integer("group_norm_groups"), layer.parameter("weight"),
                                   layer.parameter("bias"), scope.call().number("eps")));
}

at::Tensor convolution(const Scope& scope, std::string_view name, const at::Tensor& x, std::int64_t padding) {
  const Scope layer = scope.child(name);
  const at::Tensor* bias = layer.find_parameter("bias");
  return layer.show(at::conv2d(x, layer.parameter("weight"), bias != nullptr ? *bias : at::Tensor(),
                               /*stride=*/1, padding));
}

at::Tensor relu(const Scope& scope, std::string_view name, const at::Tensor& x) {
  return scope.child(name).show(at::relu(x));
}

at::Tensor gelu(const Scope& scope, std::string_view name, const at::Tensor& x) {
  return scope.child(name).show(at::gelu(x));
}

}  // namespace deformdiff::worker::mask2former
