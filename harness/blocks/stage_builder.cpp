#include "blocks/stage_builder.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// No machine holds more elements; sums and products of sizes below it do not overflow.
constexpr std::int64_t kMostElements = std::int64_t{1} << 48;

Value with_step(Value value, ViewStep step, Shape shape) {
  value.view.push_back(std::move(step));
  value.shape = std::move(shape);
  return value;
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < result.size(); ++i) {  // from the last axis
    const std::int64_t left = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t right = i < b.size() ? b[b.size() - 1 - i] : 1;
    DEFORMDIFF_CHECK(left == right || left == 1 || right == 1);
    result[result.size() - 1 - i] = left == 1 ? right : left;
  }
  return result;
}

}  // namespace

Value reshaped(Value value, Shape shape) {
  DEFORMDIFF_CHECK(element_count(value.shape) == element_count(shape));
  ViewStep step = reshape(shape);
  return with_step(std::move(value), std::move(step), std::move(shape));
}

Value permuted(Value value, Shape axes) {
  DEFORMDIFF_CHECK(value.shape.size() == axes.size());
  Shape shape;
  for (const std::int64_t axis : axes) shape.push_back(value.shape.at(static_cast<std::size_t>(axis)));
  return with_step(std::move(value), permute(std::move(axes)), std::move(shape));
}

Value narrowed(Value value, std::int64_t axis, std::int64_t start, std::int64_t length) {
  Shape shape = value.shape;
  std::int64_t& extent = shape.at(static_cast<std::size_t>(axis));
  DEFORMDIFF_CHECK(start >= 0 && length >= 0 && start <= extent - length);
  extent = length;
  return with_step(std::move(value), narrow(axis, start, length), std::move(shape));
}

Value expanded(Value value, Shape shape) {
  DEFORMDIFF_CHECK(value.shape.size() == shape.size());
  if (value.shape == shape) return value;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    DEFORMDIFF_CHECK(value.shape[i] == shape[i] || value.shape[i] == 1);
  }
  ViewStep step = expand(shape);
  return with_step(std::move(value), std::move(step), std::move(shape));
}

Value swapped(const Value& value) {
  Shape axes(value.shape.size());
  for (std::size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<std::int64_t>(i);
  std::swap(axes.at(0), axes.at(1));
  return permuted(value, std::move(axes));
}

Value as_sequence(const Value& map) {
  const Shape& s = map.shape;
  return permuted(reshaped(map, {s.at(0), s.at(1), s.at(2) * s.at(3)}), {0, 2, 1});
}

Value as_map(const Value& sequence, std::int64_t height, std::int64_t width) {
  const Shape& s = sequence.shape;
  return reshaped(permuted(sequence, {0, 2, 1}), {s.at(0), s.at(2), height, width});
}

Value StageBuilder::input(const std::string& name) const {
  const Tensor& tensor = case_.input(name);
  return {name, tensor.dtype(), tensor.shape(), {}};
}

std::optional<Value> StageBuilder::find_input(const std::string& name) const {
  const Tensor* tensor = case_.find_input(name);
  if (tensor == nullptr) return std::nullopt;
  return Value{name, tensor->dtype(), tensor->shape(), {}};
}

void StageBuilder::account(const std::string& name, const Shape& shape, DType dtype) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) {
    DEFORMDIFF_CHECK(extent >= 0);
    if (__builtin_mul_overflow(elements, std::max<std::int64_t>(extent, 1), &elements) ||
        elements > kMostElements) {
      throw InputError(
          fmt::format("block {}: stage '{}' would be too large: {}", case_.block, name, to_string(shape)));
    }
  }
  bytes_ += element_count(shape) * static_cast<std::int64_t>(size_of(dtype));
  if (bytes_ > kMostElements * 8) {
    throw InputError(fmt::format("block {}: the stages up to '{}' would be too large", case_.block, name));
  }
}

Value StageBuilder::append(const std::string& name, const std::string& operation,
                           const std::vector<std::pair<std::string, Value>>& inputs, Attributes attributes,
                           Shape shape, DType dtype) {
  account(name, shape, dtype);
  Stage stage{name, operation, dtype_, {}, std::move(attributes), {}};
  for (const auto& [input_name, value] : inputs) stage.inputs.push_back({input_name, value.name, value.view});
  stages_.push_back(std::move(stage));
  values_.push_back({name, dtype, shape, name});
  return {name, dtype, std::move(shape), {}};
}

Value StageBuilder::store(const Value& seen) {
  DEFORMDIFF_CHECK(!stages_.empty() && stages_.back().name == seen.name);
  View& view = stages_.back().view;
  view.insert(view.end(), seen.view.begin(), seen.view.end());
  account(seen.name, seen.shape, seen.dtype);  // may repeat elements: larger than the operation's result
  values_.back().shape = seen.shape;
  return {seen.name, seen.dtype, seen.shape, {}};
}

void StageBuilder::output(const std::string& name, const Value& value) {
  DEFORMDIFF_CHECK(value.view.empty());
  outputs_.push_back({name, value.dtype, value.shape, value.name});
}

Value StageBuilder::add(const std::string& name, const Value& a, const Value& b) {
  return append(name, "add", {{"a", a}, {"b", b}}, {}, broadcast(a.shape, b.shape), dtype_);
}

Value StageBuilder::copy(const std::string& name, const Value& x) {
  return append(name, "copy", {{"x", x}}, {}, x.shape, x.dtype);
}

Value StageBuilder::concat(const std::string& name, const std::vector<Value>& parts, std::int64_t axis) {
  Shape shape = parts.at(0).shape;
  std::int64_t& extent = shape.at(static_cast<std::size_t>(axis));
  extent = 0;
  std::vector<std::pair<std::string, Value>> inputs;
  for (const Value& part : parts) {
    extent += part.shape.at(static_cast<std::size_t>(axis));
    inputs.emplace_back(fmt::format("x{}", inputs.size()), part);
  }
  return append(name, "concat", inputs, {{"axis", axis}}, shape, parts[0].dtype);
}

Value StageBuilder::constant(const std::string& name, const std::vector<std::int64_t>& values, DType dtype) {
  Attributes attributes{{"count", values.size()}};
  for (std::size_t i = 0; i < values.size(); ++i)
    attributes[fmt::format("v{}", i)] = static_cast<double>(values[i]);
  const Value value =
      append(name, "constant", {}, std::move(attributes), {static_cast<std::int64_t>(values.size())}, dtype);
  stages_.back().dtype = dtype;
  return value;
}

Value StageBuilder::linear(const std::string& name, const Value& x, const std::string& module) {
  return linear(name, x, parameter(module + ".weight"), parameter(module + ".bias"));
}

Value StageBuilder::linear(const std::string& name, const Value& x, const Value& weight, const Value& bias) {
  DEFORMDIFF_CHECK(x.shape.back() == weight.shape.at(1));
  Shape shape = x.shape;
  shape.back() = weight.shape[0];
  return append(name, "linear", {{"x", x}, {"weight", weight}, {"bias", bias}}, {}, std::move(shape), dtype_);
}

Value StageBuilder::conv2d(const std::string& name, const Value& x, const std::string& module,
                           std::int64_t padding) {
  const Value weight = parameter(module + ".weight");
  const std::optional<Value> bias = find_input("param." + module + ".bias");
  DEFORMDIFF_CHECK(x.shape.at(1) == weight.shape.at(1));
  std::vector<std::pair<std::string, Value>> inputs{{"x", x}, {"weight", weight}};
  if (bias) inputs.emplace_back("bias", *bias);
  const Shape shape{x.shape[0], weight.shape[0], x.shape[2] + 2 * padding - weight.shape[2] + 1,
                    x.shape[3] + 2 * padding - weight.shape[3] + 1};
  return append(name, "conv2d", inputs, {{"padding", padding}}, shape, dtype_);
}

Value StageBuilder::layer_norm(const std::string& name, const Value& x, const std::string& module) {
  return append(name, "layer_norm",
                {{"x", x}, {"weight", parameter(module + ".weight")}, {"bias", parameter(module + ".bias")}},
                {{"eps", case_.number("eps")}}, x.shape, dtype_);
}

Value StageBuilder::group_norm(const std::string& name, const Value& x, const std::string& module) {
  return append(name, "group_norm",
                {{"x", x}, {"weight", parameter(module + ".weight")}, {"bias", parameter(module + ".bias")}},
                {{"eps", case_.number("eps")}, {"groups", case_.number("group_norm_groups")}}, x.shape,
                dtype_);
}

Value StageBuilder::relu(const std::string& name, const Value& x) {
  return append(name, "relu", {{"x", x}}, {}, x.shape, dtype_);
}

Value StageBuilder::gelu(const std::string& name, const Value& x) {
  return append(name, "gelu", {{"x", x}}, {}, x.shape, dtype_);
}

Value StageBuilder::sigmoid(const std::string& name, const Value& x) {
  return append(name, "sigmoid", {{"x", x}}, {}, x.shape, dtype_);
}

Value StageBuilder::softmax(const std::string& name, const Value& x) {
  return append(name, "softmax", {{"x", x}}, {}, x.shape, dtype_);
}

Value StageBuilder::scale(const std::string& name, const Value& x, std::int64_t head_dim) {
  return append(name, "scale", {{"x", x}}, {{"head_dim", head_dim}}, x.shape, dtype_);
}

Value StageBuilder::attention_scores(const std::string& name, const Value& q, const Value& k,
                                     const std::optional<Value>& mask) {
  DEFORMDIFF_CHECK(q.shape.at(0) == k.shape.at(0) && q.shape.at(2) == k.shape.at(2));
  const Shape shape{q.shape[0], q.shape[1], k.shape[1]};
  std::vector<std::pair<std::string, Value>> inputs{{"q", q}, {"k", k}};
  if (mask) {
    DEFORMDIFF_CHECK(mask->shape == shape);
    inputs.emplace_back("mask", *mask);
  }
  return append(name, "attention_scores", inputs, {}, shape, dtype_);
}

Value StageBuilder::matmul(const std::string& name, const Value& a, const Value& b) {
  DEFORMDIFF_CHECK(a.shape.at(0) == b.shape.at(0) && a.shape.at(2) == b.shape.at(1));
  return append(name, "matmul", {{"a", a}, {"b", b}}, {}, {a.shape[0], a.shape[1], b.shape.at(2)}, dtype_);
}

Value StageBuilder::mean_heads(const std::string& name, const Value& x, std::int64_t heads) {
  return append(name, "mean_heads", {{"x", x}}, {{"heads", heads}},
                {x.shape.at(0) / heads, x.shape.at(1), x.shape.at(2)}, dtype_);
}

Value StageBuilder::mask_rows(const std::string& name, const Value& x, const std::optional<Value>& mask) {
  std::vector<std::pair<std::string, Value>> inputs{{"x", x}};
  if (mask) inputs.emplace_back("mask", *mask);
  return append(name, "mask_rows", inputs, {}, x.shape, dtype_);
}

Value StageBuilder::resize(const std::string& name, const Value& x, std::int64_t height, std::int64_t width) {
  return append(name, "resize", {{"x", x}}, {{"height", height}, {"width", width}},
                {x.shape.at(0), x.shape.at(1), height, width}, dtype_);
}

}  // namespace deformdiff
