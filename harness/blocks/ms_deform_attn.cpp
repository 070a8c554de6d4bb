#include "blocks/ms_deform_attn.h"

#include "blocks/stage_builder.h"
#include "blocks/tensor_list.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr const char* kName = "ms_deform_attn";

[[noreturn]] void refuse(const std::string& field, const std::string& what) {
  throw InputError(fmt::format("block {}: {}: {}", kName, field, what));
}

void want_rank(const Tensor& tensor, const char* name, std::size_t rank, const char* axes) {
  if (tensor.shape().size() != rank) {
    refuse(name, fmt::format("shape {} has {} axes, {} {} wanted", to_string(tensor.shape()),
                             tensor.shape().size(), rank, axes));
  }
}

void want_dtype(const Tensor& tensor, const char* name, DType dtype) {
  if (tensor.dtype() != dtype) {
    refuse(name, fmt::format("dtype {} found, {} wanted", name_of(tensor.dtype()), name_of(dtype)));
  }
}

void want_shape(const Tensor& tensor, const char* name, const Shape& shape, const char* axes) {
  if (tensor.shape() != shape) {
    refuse(name,
           fmt::format("shape {} found, {} {} wanted", to_string(tensor.shape()), to_string(shape), axes));
  }
}

std::vector<Level> parse_levels(const Case& c, std::int64_t rows) {
  const Tensor shapes = c.input("spatial_shapes").contiguous();
  const Tensor starts = c.input("level_start_index").contiguous();
  want_rank(shapes, "spatial_shapes", 2, "[L, 2]");
  want_dtype(shapes, "spatial_shapes", DType::kInt64);
  want_shape(shapes, "spatial_shapes", {shapes.dim(0), 2}, "[L, 2]");
  want_dtype(starts, "level_start_index", DType::kInt64);
  want_shape(starts, "level_start_index", {shapes.dim(0)}, "[L]");
  const auto sides = shapes.values<std::int64_t>();
  const auto first_rows = starts.values<std::int64_t>();
  std::vector<Level> levels;
  for (std::size_t l = 0; l < first_rows.size(); ++l) {
    const Level level{sides[2 * l], sides[2 * l + 1], first_rows[l]};
    if (level.height < 1 || level.width < 1) {
      refuse("spatial_shapes",
             fmt::format("level {} is {} x {}; at least 1 x 1 wanted", l, level.height, level.width));
    }
    std::int64_t area = 0;
    if (__builtin_mul_overflow(level.height, level.width, &area)) {
      refuse("spatial_shapes", fmt::format("level {} is {} x {}: more pixels than the {} rows of value", l,
                                           level.height, level.width, rows));
    }
    if (level.start < 0 || area > rows || level.start > rows - area) {
      refuse("level_start_index",
             fmt::format("level {} ({} x {}) starts at row {} and leaves the {} rows of value", l,
                         level.height, level.width, level.start, rows));
    }
    levels.push_back(level);
  }
  return levels;
}

/// Validation and extents are its own: levels may have gaps and come in any order, and no extent need be
/// above 0.
class MsDeformAttn : public BlockDefinition {
 public:
  MsDeformAttn()
      : BlockDefinition(
            {.name = kName,
             .purpose = "the operator: samples value at given locations and adds up with given weights",
             .outputs = {"output"},
             .attributes = {{"im2col_step", 64}}}) {}

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

  void validate(const Case& c) const override { parse(c); }

  Extents dimensions(const Case& c) const override {
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

  std::int64_t working_memory(const Case& c, const Precision& precision) const override {
    const Problem problem = parse(c);
    const Dims& d = problem.dims;
    // A planar copy of value. The grid_sample path also holds the samples of every level about three times
    // over; a fused kernel adds them up as it takes them.
    std::int64_t implementation = 2 * d.N * d.S * d.M * d.D;
    if (precision.coordinates == Coordinates::kGridSample) implementation += 3 * products(d);
    // The judge holds dense inputs and, an element of the output, value, low part, bound and kind.
    const std::int64_t inputs =
        problem.value.elements() + problem.sampling_loc.elements() + problem.attn_weight.elements();
    const std::int64_t an_element = 3 * static_cast<std::int64_t>(sizeof(double)) + 1;
    return (implementation + inputs) * static_cast<std::int64_t>(size_of(problem.dtype)) +
           d.N * d.Q * d.M * d.D * an_element;
  }

 protected:
  void build(StageBuilder& b) const override {
    const Dims d = parse(b.problem()).dims;
    std::vector<std::pair<std::string, Value>> arguments;
    for (const std::string& name : inputs()) arguments.emplace_back(name, b.input(name));
    b.output("output", b.append("output", "ms_deform_attn", arguments, b.problem().attributes,
                                {d.N, d.Q, d.M * d.D}, b.dtype()));
  }
};

}  // namespace

bool Problem::has_consecutive_levels() const {
  std::int64_t row = 0;
  for (const Level& level : levels) {
    if (level.start != row) return false;
    row += level.height * level.width;
  }
  return row == dims.S;
}

Problem parse(const Case& c) {
  if (c.block != kName) refuse("block", fmt::format("the case is of block '{}'", c.block));
  const Tensor& value = c.input("value");
  const Tensor& locations = c.input("sampling_loc");
  const Tensor& weights = c.input("attn_weight");
  want_rank(value, "value", 4, "[N, S, M, D]");
  want_rank(locations, "sampling_loc", 6, "[N, Q, M, L, P, 2]");
  if (!is_floating(value.dtype())) {
    refuse("value", fmt::format("dtype {} found, a floating one wanted", name_of(value.dtype())));
  }
  want_dtype(locations, "sampling_loc", value.dtype());
  want_dtype(weights, "attn_weight", value.dtype());
  std::vector<Level> levels = parse_levels(c, value.dim(1));
  const Dims dims{value.dim(0),    value.dim(1),     value.dim(2),
                  value.dim(3),    locations.dim(1), static_cast<std::int64_t>(levels.size()),
                  locations.dim(4)};
  want_shape(locations, "sampling_loc", {dims.N, dims.Q, dims.M, dims.L, dims.P, 2}, "[N, Q, M, L, P, 2]");
  want_shape(weights, "attn_weight", {dims.N, dims.Q, dims.M, dims.L, dims.P}, "[N, Q, M, L, P]");
  const std::int64_t step = c.attribute("im2col_step");
  if (step < 1) refuse("im2col_step", fmt::format("{} found, at least 1 wanted", step));
  return {dims, std::move(levels), value, locations, weights, step, value.dtype()};
}

std::int64_t products(const Dims& d) {
  return d.N * d.Q * d.M * d.D * d.L * d.P;
}

std::int64_t multiply_adds(const Dims& d) {
  return 4 * products(d);
}

const BlockDefinition& block() {
  static const MsDeformAttn instance;
  return instance;
}

}  // namespace deformdiff::ms_deform_attn
