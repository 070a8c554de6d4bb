// Writing down a block's stages: values that know their shape, one method an operation.
#pragma once

#include "blocks/block_definition.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deformdiff {

/// An input of the case or the value of an earlier stage, as it is seen through `view`.
struct Value {
  std::string name;
  DType dtype;
  Shape shape;  ///< after the view
  View view;
};

Value reshaped(Value value, Shape shape);
Value permuted(Value value, Shape axes);
Value narrowed(Value value, std::int64_t axis, std::int64_t start, std::int64_t length);
Value expanded(Value value, Shape shape);

/// [A, B, ..] to [B, A, ..]: batch first to length first and back.
Value swapped(const Value& value);
/// [B, C, H, W] to [B, H*W, C].
Value as_sequence(const Value& map);
/// [B, H*W, C] to [B, C, H, W].
Value as_map(const Value& sequence, std::int64_t height, std::int64_t width);

/// Where a part of a block stands: its modules' names begin with `prefix`, its values' names end in `call`
/// ("#2" for the third call of what runs more than once).
struct Scope {
  std::string prefix;
  std::string call;

  std::string stage(std::string_view name) const { return prefix + std::string(name) + call; }
  std::string module(std::string_view name) const { return prefix + std::string(name); }
  Scope in(std::string_view part) const { return {prefix + std::string(part) + ".", call}; }
};

/// Stages in order, each of values that exist. A parameter is named as its module is: weight and bias of
/// module "fc1" are "param.fc1.weight" and "param.fc1.bias". Throws InputError for a value too large to
/// count.
class StageBuilder {
 public:
  StageBuilder(const Case& c, DType dtype) : case_(c), dtype_(dtype) {}

  const Case& problem() const { return case_; }
  DType dtype() const { return dtype_; }

  Value input(const std::string& name) const;
  std::optional<Value> find_input(const std::string& name) const;
  Value parameter(const std::string& name) const { return input("param." + name); }

  Value add(const std::string& name, const Value& a, const Value& b);
  Value copy(const std::string& name, const Value& x);
  Value concat(const std::string& name, const std::vector<Value>& parts, std::int64_t axis);
  Value constant(const std::string& name, const std::vector<std::int64_t>& values, DType dtype);

  /// With the parameters of `module`; without bias where it has none.
  Value linear(const std::string& name, const Value& x, const std::string& module);
  Value linear(const std::string& name, const Value& x, const Value& weight, const Value& bias);
  Value conv2d(const std::string& name, const Value& x, const std::string& module, std::int64_t padding);
  Value layer_norm(const std::string& name, const Value& x, const std::string& module);  ///< attribute eps
  Value group_norm(const std::string& name, const Value& x,
                   const std::string& module);  ///< eps, group_norm_groups
  Value relu(const std::string& name, const Value& x);
  Value gelu(const std::string& name, const Value& x);
  Value sigmoid(const std::string& name, const Value& x);
  Value softmax(const std::string& name, const Value& x);
  Value scale(const std::string& name, const Value& x, std::int64_t head_dim);
  Value attention_scores(const std::string& name, const Value& q, const Value& k,
                         const std::optional<Value>& mask);
  Value matmul(const std::string& name, const Value& a, const Value& b);
  Value mean_heads(const std::string& name, const Value& x, std::int64_t heads);
  Value mask_rows(const std::string& name, const Value& x, const std::optional<Value>& mask);
  Value resize(const std::string& name, const Value& x, std::int64_t height, std::int64_t width);

  /// Any other operation: `shape` and `dtype` are its result's.
  Value append(const std::string& name, const std::string& operation,
               const std::vector<std::pair<std::string, Value>>& inputs, Attributes attributes, Shape shape,
               DType dtype);

  /// The last stage's value is what `seen`, a view of it, shows.
  Value store(const Value& seen);

  void output(const std::string& name, const Value& value);

  std::vector<Stage> take_stages() { return std::move(stages_); }
  std::vector<OutputSpec> take_outputs() { return std::move(outputs_); }
  std::vector<OutputSpec> take_values() { return std::move(values_); }  ///< of the stages, in their order
  std::int64_t bytes() const { return bytes_; }                         ///< of all stages' values

 private:
  /// Counts the bytes of a value; throws InputError where it is too large.
  void account(const std::string& name, const Shape& shape, DType dtype);

  const Case& case_;
  DType dtype_;
  std::vector<Stage> stages_;
  std::vector<OutputSpec> values_;  ///< one a stage
  std::vector<OutputSpec> outputs_;
  std::int64_t bytes_ = 0;
};

}  // namespace deformdiff
