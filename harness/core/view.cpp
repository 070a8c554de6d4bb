#include "core/view.h"

#include <algorithm>
#include <utility>

namespace deformdiff {
namespace {

/// Shape and strides of a view of the same storage.
Tensor restrided(const Tensor& tensor, Shape shape, Shape strides, std::int64_t offset) {
  return Tensor(tensor.dtype(), std::move(shape), std::move(strides), offset, tensor.shared_storage());
}

Tensor step(const ViewStep& step, const Tensor& tensor) {
  const Shape& arguments = step.arguments;
  Shape shape = tensor.shape(), strides = tensor.strides();
  switch (step.kind) {
    case ViewStep::Kind::kReshape:
      DEFORMDIFF_CHECK(element_count(arguments) == tensor.elements());
      return restrided(tensor.contiguous(), arguments, contiguous_strides(arguments), 0);
    case ViewStep::Kind::kPermute:
      DEFORMDIFF_CHECK(arguments.size() == shape.size());
      for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        shape[axis] = tensor.shape().at(static_cast<std::size_t>(arguments[axis]));
        strides[axis] = tensor.strides()[static_cast<std::size_t>(arguments[axis])];
      }
      return restrided(tensor, std::move(shape), std::move(strides), tensor.offset());
    case ViewStep::Kind::kNarrow: {
      const auto axis = static_cast<std::size_t>(arguments.at(0));
      const std::int64_t start = arguments.at(1), length = arguments.at(2);
      DEFORMDIFF_CHECK(start >= 0 && length >= 0 && start + length <= shape.at(axis));
      shape[axis] = length;
      const std::int64_t offset = element_count(shape) == 0 ? 0 : tensor.offset() + start * strides[axis];
      return restrided(tensor, std::move(shape), std::move(strides), offset);
    }
    case ViewStep::Kind::kExpand:
      DEFORMDIFF_CHECK(arguments.size() == shape.size());
      for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] == arguments[axis]) continue;
        DEFORMDIFF_CHECK(shape[axis] == 1);
        shape[axis] = arguments[axis];
        strides[axis] = 0;
      }
      return restrided(tensor, std::move(shape), std::move(strides), tensor.offset());
  }
  return tensor;
}

}  // namespace

ViewStep reshape(Shape shape) {
  return {ViewStep::Kind::kReshape, std::move(shape)};
}
ViewStep permute(Shape axes) {
  return {ViewStep::Kind::kPermute, std::move(axes)};
}
ViewStep narrow(std::int64_t axis, std::int64_t start, std::int64_t length) {
  return {ViewStep::Kind::kNarrow, {axis, start, length}};
}
ViewStep expand(Shape shape) {
  return {ViewStep::Kind::kExpand, std::move(shape)};
}

bool only_reshapes(const View& view) {
  return std::ranges::all_of(view,
                             [](const ViewStep& step) { return step.kind == ViewStep::Kind::kReshape; });
}

Tensor rearranged(const Tensor& tensor, const View& view) {
  Tensor result = tensor;
  for (const ViewStep& each : view) result = step(each, result);
  return result.contiguous();
}

}  // namespace deformdiff
