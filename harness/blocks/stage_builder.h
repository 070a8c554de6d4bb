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

// The same value seen otherwise; dtypes stay.
Value reshaped(Value value, Shape shape);  ///< as many elements, in row-major order
Value permuted(Value value, Shape axes);   ///< axis i of the result is axis axes[i]
Value narrowed(Value value, std::int64_t axis, std::int64_t start, std::int64_t length);
Value expanded(Value value, Shape shape);  ///< axes of extent 1 repeated

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
///
/// An operation's floating inputs are of the run's dtype, and so is its value; `name` is the stage's. Shapes
/// are those of the values as seen. What each operation computes to the last detail: oracles/operations.
class StageBuilder {
 public:
  StageBuilder(const Case& c, DType dtype) : case_(c), dtype_(dtype) {}

  const Case& problem() const { return case_; }
  DType dtype() const { return dtype_; }

  /// An input of the case, of its dtype and shape. Throws InputError if there is none of that name.
  Value input(const std::string& name) const;
  std::optional<Value> find_input(const std::string& name) const;
  Value parameter(const std::string& name) const { return input("param." + name); }

  /// a + b, shapes broadcast as NumPy does.
  Value add(const std::string& name, const Value& a, const Value& b);

  /// x itself, of any dtype and shape: a view of an earlier value becomes a value.
  Value copy(const std::string& name, const Value& x);

  /// The parts behind one another along `axis`; any dtype, the same for all, and shapes equal but for it.
  Value concat(const std::string& name, const std::vector<Value>& parts, std::int64_t axis);

  /// [count] of these numbers, of `dtype`: int64 or the run's.
  Value constant(const std::string& name, const std::vector<std::int64_t>& values, DType dtype);

  /// x [.., K], weight [N, K], bias [N] -> x weight^T + bias, [.., N]; of `module`, or as given.
  Value linear(const std::string& name, const Value& x, const std::string& module);
  Value linear(const std::string& name, const Value& x, const Value& weight, const Value& bias);

  /// x [B, I, H, W], weight [O, I, kh, kw], bias [O] where the module has one, `padding` zeros on each side
  /// of both axes -> [B, O, H + 2 padding - kh + 1, W + 2 padding - kw + 1].
  Value conv2d(const std::string& name, const Value& x, const std::string& module, std::int64_t padding);

  /// x [.., C], weight [C], bias [C] -> (x - mean) / sqrt(variance + eps) * weight + bias over the last axis.
  /// Needs attribute eps.
  Value layer_norm(const std::string& name, const Value& x, const std::string& module);

  /// x [B, C, H, W], weight [C], bias [C] -> the same over groups of C / group_norm_groups channels and all
  /// of H and W. Needs attributes eps and group_norm_groups.
  Value group_norm(const std::string& name, const Value& x, const std::string& module);

  // Element by element, of any shape.
  Value relu(const std::string& name, const Value& x);     ///< max(x, 0)
  Value gelu(const std::string& name, const Value& x);     ///< x (1 + erf(x / sqrt(2))) / 2
  Value sigmoid(const std::string& name, const Value& x);  ///< 1 / (1 + exp(-x))
  Value scale(const std::string& name, const Value& x, std::int64_t head_dim);  ///< x / sqrt(head_dim)

  /// exp(x) / sum of exp(x) over the last axis; -inf takes no part, a row of -inf is NaN.
  Value softmax(const std::string& name, const Value& x);

  /// q [G, Q, D], k [G, K, D], mask bool [G, Q, K] -> q k^T, -inf where the mask is true, [G, Q, K].
  Value attention_scores(const std::string& name, const Value& q, const Value& k,
                         const std::optional<Value>& mask);

  /// a [G, N, K], b [G, K, M] -> a b, [G, N, M].
  Value matmul(const std::string& name, const Value& a, const Value& b);

  /// x [B * heads, Q, K] -> the mean over the heads of each image, [B, Q, K].
  Value mean_heads(const std::string& name, const Value& x, std::int64_t heads);

  /// x [B, S, ..], mask bool [B, S] -> x, 0 where the mask is true.
  Value mask_rows(const std::string& name, const Value& x, const std::optional<Value>& mask);

  /// x [B, C, H, W] -> [B, C, height, width], bilinear, pixel centres at half pixels, no antialiasing.
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
