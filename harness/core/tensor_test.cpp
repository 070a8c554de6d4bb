#include "core/tensor.h"

#include "core/arbitrary_case_test.h"

#include <cstring>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace deformdiff {
namespace {

RC_GTEST_PROP(Tensor, ContiguousHasTheSameElements, ()) {
  const Tensor tensor = testing::arbitrary_tensor();
  const Tensor dense = tensor.contiguous();
  RC_ASSERT(dense.is_contiguous());
  RC_ASSERT(dense.shape() == tensor.shape());
  const std::size_t size = size_of(tensor.dtype());
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    std::int64_t at = tensor.offset(), rest = i;
    for (std::size_t axis = tensor.shape().size(); axis-- > 0; rest /= tensor.dim(axis)) {
      at += rest % tensor.dim(axis) * tensor.strides()[axis];
    }
    RC_ASSERT(std::memcmp(dense.storage().data() + static_cast<std::size_t>(i) * size,
                          tensor.storage().data() + static_cast<std::size_t>(at) * size, size) == 0);
  }
}

}  // namespace
}  // namespace deformdiff
