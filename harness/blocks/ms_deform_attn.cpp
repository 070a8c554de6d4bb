#include "blocks/ms_deform_attn.h"

#include "blocks/stage_builder.h"
#include "blocks/tensor_list.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// What forward and backward have in common. Validation and extents are its own: levels may have gaps and
/// come in any order, and no extent need be above 0.
class OperatorDefinition : public BlockDefinition {
 public:
  using BlockDefinition::BlockDefinition;

  bool is_resizable() const override { return false; }

  std::vector<TensorSpec> tensors(const Attributes&) const override {
    TensorList list;
    list.floating("value", "N S M D");
    list.sizes("spatial_shapes", "L 2");
    list.level_starts("level_start_index");
    list.fractions("sampling_loc", "N Q M L P 2");
    list.floating("attn_weight", "N Q M L P");
    return list.take();
  }

  void validate(const Case& c) const override {
    if (c.block != name())
      throw InputError(fmt::format("block {}: the case is of block '{}'", name(), c.block));
    parse(c);
  }

  Extents dimensions(const Case& c) const override {
    validate(c);
    const Dims d = parse(c).dims;
    return {{"N", d.N}, {"S", d.S}, {"M", d.M}, {"D", d.D}, {"Q", d.Q}, {"L", d.L}, {"P", d.P}};
  }

  std::string outside_contract(const Case& c, const Contract& contract) const override {
    const Problem problem = parse(c);
    if (std::string why = BlockDefinition::outside_contract(c, contract); !why.empty()) return why;
    std::int64_t rows = 0;
    for (const Level& level : problem.levels) rows += level.height * level.width;
    if (contract.level_start_index == LevelStartIndex::kIgnored && rows != problem.dims.S) {
      return "level_start_index is ignored and the levels do not fill value";
    }
    return "";
  }

 protected:
  /// The judge holds dense inputs and, an element of an output, value, low part, bound and kind.
  static std::int64_t judge_memory(std::int64_t inputs, std::int64_t outputs, DType dtype) {
    const std::int64_t an_element = 3 * static_cast<std::int64_t>(sizeof(double)) + 1;
    return inputs * static_cast<std::int64_t>(size_of(dtype)) + outputs * an_element;
  }

  /// A stage of all inputs whose value is an output of the dtype of `like`.
  void add_stage(StageBuilder& b, const std::string& name, const std::string& operation, const Shape& shape,
                 const Tensor& like) const {
    std::vector<std::pair<std::string, Value>> arguments;
    for (const std::string& input : inputs()) arguments.emplace_back(input, b.input(input));
    b.output(name, b.append(name, operation, arguments, b.problem().attributes, shape, like.dtype()));
  }
};

class MsDeformAttn : public OperatorDefinition {
 public:
  MsDeformAttn()
      : OperatorDefinition(
            {.name = "ms_deform_attn",
             .purpose = "the operator: samples value at given locations and adds up with given weights",
             .outputs = {"output"},
             .attributes = {{"im2col_step", 64}}}) {}

  std::int64_t working_memory(const Case& c, const Precision& precision) const override {
    const Problem problem = parse(c);
    const Dims& d = problem.dims;
    // A planar copy of value. The grid_sample path also holds the samples of every level about three times
    // over; a fused kernel adds them up as it takes them.
    std::int64_t implementation = 2 * d.N * d.S * d.M * d.D;
    if (precision.coordinates == Coordinates::kGridSample) implementation += 3 * products(d);
    const std::int64_t inputs =
        problem.value.elements() + problem.sampling_loc.elements() + problem.attn_weight.elements();
    return implementation * static_cast<std::int64_t>(size_of(problem.dtype)) +
           judge_memory(inputs, d.N * d.Q * d.M * d.D, problem.dtype);
  }

 protected:
  void build(StageBuilder& b) const override {
    const Problem problem = parse(b.problem());
    const Dims& d = problem.dims;
    add_stage(b, "output", "ms_deform_attn", {d.N, d.Q, d.M * d.D}, problem.value);
  }
};

class MsDeformAttnBackward : public OperatorDefinition {
 public:
  MsDeformAttnBackward()
      : OperatorDefinition({.name = "ms_deform_attn_backward",
                            .purpose = "the operator's gradients of value, sampling_loc and attn_weight",
                            .outputs = {"grad_value", "grad_sampling_loc", "grad_attn_weight"},
                            .attributes = {{"im2col_step", 64}}}) {}

  std::vector<TensorSpec> tensors(const Attributes& attributes) const override {
    std::vector<TensorSpec> list = OperatorDefinition::tensors(attributes);
    list.push_back({"grad_output", TensorSpec::Kind::kFloating, "N Q M*D"});
    return list;
  }

  void validate(const Case& c) const override {
    OperatorDefinition::validate(c);
    parse_backward(c);
  }

  std::int64_t working_memory(const Case& c, const Precision& precision) const override {
    const Problem problem = parse(c);
    const Dims& d = problem.dims;
    const std::int64_t samples = problem.attn_weight.elements(), values = problem.value.elements();
    const std::int64_t outputs = values + 3 * samples, inputs = outputs + d.N * d.Q * d.M * d.D;
    // Partial sums of the gradient of value; autograd keeps the samples of all points, and what their weights
    // multiply.
    std::int64_t implementation = 3 * values + outputs;
    if (precision.coordinates == Coordinates::kGridSample) implementation += 6 * products(d);
    return implementation * static_cast<std::int64_t>(size_of(problem.dtype)) +
           judge_memory(inputs, outputs, problem.dtype);
  }

 protected:
  void build(StageBuilder& b) const override {
    const Problem problem = parse(b.problem());
    const Dims& d = problem.dims;
    add_stage(b, "grad_value", "ms_deform_attn_grad_value", {d.N, d.S, d.M, d.D}, problem.value);
    add_stage(b, "grad_sampling_loc", "ms_deform_attn_grad_sampling_loc", {d.N, d.Q, d.M, d.L, d.P, 2},
              problem.sampling_loc);
    add_stage(b, "grad_attn_weight", "ms_deform_attn_grad_attn_weight", {d.N, d.Q, d.M, d.L, d.P},
              problem.attn_weight);
  }
};

}  // namespace

const BlockDefinition& block() {
  static const MsDeformAttn instance;
  return instance;
}

const BlockDefinition& backward_block() {
  static const MsDeformAttnBackward instance;
  return instance;
}

}  // namespace deformdiff::ms_deform_attn
