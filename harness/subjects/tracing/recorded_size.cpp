#include "subjects/tracing/recorded_size.h"

#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <torch/csrc/jit/frontend/tracer.h>

namespace deformdiff::worker {
namespace {

using torch::jit::tracer::ArgumentStash;

/// The numbers; the next recorded operation takes the scalars for its argument of that name.
std::vector<std::int64_t> pass(const char* argument, Sizes sizes) {
  std::vector<std::int64_t> values;
  for (const Size& size : sizes) {
    if (size.recorded().defined()) {
      ArgumentStash::stashIntArrayRefElem(argument, sizes.size(), values.size(), size.recorded());
    }
    values.push_back(size.value());
  }
  return values;
}

std::int64_t pass(const char* argument, const Size& size, const c10::TypePtr& type) {
  if (size.recorded().defined()) ArgumentStash::stashValue(argument, 1, size.recorded(), type);
  return size.value();
}

template <typename Operation>
at::Tensor recorded_result(const Size& a, const Size& b, Operation operation) {
  if (a.recorded().defined() && b.recorded().defined()) return operation(a.recorded(), b.recorded());
  if (a.recorded().defined()) return operation(a.recorded(), at::Scalar(b.value()));
  if (b.recorded().defined()) return operation(b.recorded(), at::Scalar(a.value()));
  return {};
}

}  // namespace

Size Size::of(const at::Tensor& tensor, std::int64_t axis) {
  if (!torch::jit::tracer::isTracing()) return tensor.size(axis);
  return {tensor.size(axis), torch::jit::tracer::getSizeOf(tensor, axis)};
}

Size Size::element(const at::Tensor& vector, std::int64_t index) {
  const at::Tensor scalar = vector.select(0, index);
  const std::int64_t value = *scalar.const_data_ptr<std::int64_t>();
  return torch::jit::tracer::isTracing() ? Size(value, scalar) : Size(value);
}

Size operator*(const Size& a, const Size& b) {
  return {a.value() * b.value(), recorded_result(a, b, [](const auto& x, const auto& y) { return x * y; })};
}

Size operator+(const Size& a, const Size& b) {
  return {a.value() + b.value(), recorded_result(a, b, [](const auto& x, const auto& y) { return x + y; })};
}

at::Tensor expand(const at::Tensor& tensor, Sizes sizes) {
  const auto values = pass("size", sizes);
  return tensor.expand(values);
}

at::Tensor unflatten(const at::Tensor& tensor, std::int64_t axis, Sizes sizes) {
  const auto values = pass("sizes", sizes);
  return tensor.unflatten(axis, values);
}

at::Tensor narrow(const at::Tensor& tensor, std::int64_t axis, const Size& start, const Size& length) {
  const std::int64_t first = pass("start", start, c10::IntType::get());
  return tensor.narrow(axis, first, pass("length", length, c10::IntType::get()));
}

at::Tensor ones(Sizes sizes, const at::TensorOptions& options) {
  const auto values = pass("size", sizes);
  return at::ones(values, options);
}

at::Tensor arange(const Size& end, const at::TensorOptions& options) {
  return at::arange(pass("end", end, c10::NumberType::get()), options);
}

at::Tensor resize_map(const at::Tensor& map, const Size& height, const Size& width) {
  const auto values = pass("output_size", {height, width});
  // LibTorch's resize refuses maps without channels; a decoder without queries has such.
  if (map.size(1) == 0) return map.new_empty({map.size(0), 0, values[0], values[1]});
  return at::upsample_bilinear2d(map, values, /*align_corners=*/false);
}

}  // namespace deformdiff::worker
