// Values as Python's source text.
#pragma once

#include "core/tensor.h"
#include "core/view.h"

#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::cli {

/// Tensors and lists with more elements than this are written as base64 of their bytes, little-endian.
constexpr std::int64_t kListedElements = 256;

/// 'text', on one line, whatever it holds.
std::string python_string(std::string_view text);

/// "(1, 2, 3)", "(4,)", "()"
std::string python_tuple(const Shape& sizes);

/// "0.1", "inf", "nan": reads back to the same number.
std::string python_number(double value);

/// A list of numbers, or base64 of doubles.
std::string python_numbers(const std::vector<double>& values);

/// tensor('float32', (1, 2), [0.5, 1.0]) with strides and offset where they matter: the very bits.
std::string python_tensor(const Tensor& tensor);

/// The same with its numbers alone, contiguous; every floating one as float64, which holds them all.
std::string python_wide_tensor(const Tensor& tensor);

/// "value.reshape((2, 3)).transpose((1, 0))[:, 1:2]": the steps on the numpy array `value`.
std::string python_view(const View& view);

}  // namespace deformdiff::cli
