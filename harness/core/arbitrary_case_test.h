// RapidCheck generators of tensors and saved cases with any bytes whatever, for the tests of this folder.
#pragma once

#include "core/case_file.h"

#include <memory>
#include <string>
#include <vector>

#include <rapidcheck.h>

namespace deformdiff::testing {

inline Tensor::Bytes arbitrary_bytes(std::size_t count) {
  const auto raw = *rc::gen::container<std::vector<std::uint8_t>>(count, rc::gen::arbitrary<std::uint8_t>());
  Tensor::Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(raw[i]);
  return bytes;
}

/// Up to three axes of up to four elements; contiguous, or with strides from 0 to 4, an offset and a rest.
inline Tensor arbitrary_tensor() {
  const auto dtype = *rc::gen::element(DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16,
                                       DType::kInt64, DType::kBool, DType::kUInt8);
  Shape shape(static_cast<std::size_t>(*rc::gen::inRange(0, 4)));
  for (auto& extent : shape) extent = *rc::gen::inRange<std::int64_t>(0, 5);
  if (*rc::gen::arbitrary<bool>()) {
    return Tensor(dtype, shape,
                  arbitrary_bytes(static_cast<std::size_t>(element_count(shape)) * size_of(dtype)));
  }
  Shape strides(shape.size());
  std::int64_t needed = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    strides[axis] = *rc::gen::inRange<std::int64_t>(0, 5);
    needed += std::max<std::int64_t>(shape[axis] - 1, 0) * strides[axis];
  }
  const auto offset = *rc::gen::inRange<std::int64_t>(0, 4);
  const auto rest = *rc::gen::inRange<std::int64_t>(0, 4);
  return Tensor(dtype, shape, strides, offset,
                std::make_shared<const Tensor::Bytes>(
                    arbitrary_bytes(static_cast<std::size_t>(needed + offset + rest) * size_of(dtype))));
}

/// Text is UTF-8 by the rules of JSON; control characters and quotes need escapes.
inline std::string arbitrary_name() {
  return *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)));
}

/// Any bits but those of NaN and infinity.
inline double arbitrary_attribute() {
  const auto whole = static_cast<double>(*rc::gen::inRange(-9'000'000'000'000'000, 9'000'000'000'000'000));
  return *rc::gen::arbitrary<bool>() ? whole : whole * *rc::gen::element(0x1p-30, 1e-7, 1e290);
}

inline Case arbitrary_problem() {
  Case c;
  c.block = arbitrary_name();
  for (int i = *rc::gen::inRange(0, 3); i-- > 0;) {
    c.attributes.emplace(arbitrary_name(), arbitrary_attribute());
  }
  const int count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < count; ++i)
    c.inputs.push_back({std::to_string(i) + arbitrary_name(), arbitrary_tensor()});
  c.provenance = {arbitrary_name(), arbitrary_name(), *rc::gen::arbitrary<std::uint64_t>(),
                  *rc::gen::arbitrary<std::uint64_t>()};
  return c;
}

inline SavedCase arbitrary_saved_case() {
  SavedCase saved;
  saved.problem = arbitrary_problem();
  const int calls = *rc::gen::inRange(0, 3);
  for (int i = 0; i < calls; ++i) saved.earlier_calls.push_back(arbitrary_problem());
  saved.expectation = *rc::gen::element<std::string>("agree", "out_of_bound", "crashed");
  saved.subject = arbitrary_name();
  saved.subject_sha256 = arbitrary_name();
  if (*rc::gen::arbitrary<bool>()) {
    saved.signature =
        Signature{saved.problem.block, arbitrary_name(), "out_of_bound", arbitrary_name(), "border"};
  }
  if (*rc::gen::arbitrary<bool>()) {
    const auto runs = *rc::gen::inRange<std::int64_t>(0, 100);
    saved.reproduction = Reproduction{*rc::gen::inRange<std::int64_t>(0, runs + 1), runs};
  }
  saved.note = arbitrary_name();
  return saved;
}

}  // namespace deformdiff::testing
