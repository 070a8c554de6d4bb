// A hash of cases, for tests of what is generated.
#pragma once

#include "core/case.h"

#include <cstddef>
#include <cstdint>

namespace deformdiff {

/// FNV-1a over everything that an implementation is given.
inline std::uint64_t hash_of(const Case& c) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto add = [&hash](const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
  };
  const auto add_shape = [&](const Shape& shape) { add(shape.data(), shape.size() * sizeof(std::int64_t)); };
  const std::int64_t step = c.attribute("im2col_step");
  add(&step, sizeof step);
  for (const NamedTensor& input : c.inputs) {
    const Tensor& tensor = input.tensor;
    add_shape(tensor.shape());
    add_shape(tensor.strides());
    const std::int64_t offset = tensor.offset();
    add(&offset, sizeof offset);
    add(tensor.storage().data(), tensor.storage().size());
  }
  return hash;
}

}  // namespace deformdiff
