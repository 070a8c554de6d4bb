#include "blocks/ms_deform_attn.h"
#include "core/error.h"
#include "core/sixteen_bits.h"

#include <string>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// Takes a case apart, and refuses what is not valid.
class Parser {
 public:
  explicit Parser(const Case& c) : case_(c) {}

  Problem problem() const {
    const Tensor& value = case_.input("value");
    const Tensor& locations = case_.input("sampling_loc");
    const Tensor& weights = case_.input("attn_weight");
    want_rank(value, "value", 4, "[N, S, M, D]");
    want_rank(locations, "sampling_loc", 6, "[N, Q, M, L, P, 2]");
    if (!is_floating(value.dtype())) {
      refuse("value", fmt::format("dtype {} found, a floating one wanted", name_of(value.dtype())));
    }
    want_dtype_beside(locations, "sampling_loc", value.dtype());
    want_dtype_beside(weights, "attn_weight", value.dtype());
    std::vector<Level> maps = levels(value.dim(1));
    const Dims dims{value.dim(0),    value.dim(1),     value.dim(2),
                    value.dim(3),    locations.dim(1), static_cast<std::int64_t>(maps.size()),
                    locations.dim(4)};
    want_shape(locations, "sampling_loc", {dims.N, dims.Q, dims.M, dims.L, dims.P, 2}, "[N, Q, M, L, P, 2]");
    want_shape(weights, "attn_weight", {dims.N, dims.Q, dims.M, dims.L, dims.P}, "[N, Q, M, L, P]");
    const std::int64_t step = case_.attribute("im2col_step");
    if (step < 1) refuse("im2col_step", fmt::format("{} found, at least 1 wanted", step));
    return {dims, std::move(maps), value, locations, weights, step, value.dtype()};
  }

  /// [N, Q, M*D], of the dtype of value.
  const Tensor& grad_output(const Dims& dims, DType dtype) const {
    const Tensor& grad = case_.input("grad_output");
    want_dtype(grad, "grad_output", dtype);
    want_shape(grad, "grad_output", {dims.N, dims.Q, dims.M * dims.D}, "[N, Q, M*D]");
    return grad;
  }

 private:
  [[noreturn]] void refuse(const std::string& field, const std::string& what) const {
    throw InputError(fmt::format("block {}: {}: {}", case_.block, field, what));
  }

  void want_rank(const Tensor& tensor, const char* name, std::size_t rank, const char* axes) const {
    if (tensor.shape().size() != rank) {
      refuse(name, fmt::format("shape {} has {} axes, {} {} wanted", to_string(tensor.shape()),
                               tensor.shape().size(), rank, axes));
    }
  }

  void want_dtype(const Tensor& tensor, const char* name, DType dtype) const {
    if (tensor.dtype() != dtype) {
      refuse(name, fmt::format("dtype {} found, {} wanted", name_of(tensor.dtype()), name_of(dtype)));
    }
  }

  /// As value, or as autocast leaves it beside a value of 16 bits.
  void want_dtype_beside(const Tensor& tensor, const char* name, DType of_value) const {
    if (is_sixteen_bits(of_value) && tensor.dtype() == DType::kFloat32) return;
    want_dtype(tensor, name, of_value);
  }

  void want_shape(const Tensor& tensor, const char* name, const Shape& shape, const char* axes) const {
    if (tensor.shape() != shape) {
      refuse(name,
             fmt::format("shape {} found, {} {} wanted", to_string(tensor.shape()), to_string(shape), axes));
    }
  }

  std::vector<Level> levels(std::int64_t rows) const {
    const Tensor shapes = case_.input("spatial_shapes").contiguous();
    const Tensor starts = case_.input("level_start_index").contiguous();
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

  const Case& case_;
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
  return Parser(c).problem();
}

BackwardProblem parse_backward(const Case& c) {
  const Parser parser(c);
  Problem forward = parser.problem();
  const Tensor& grad_output = parser.grad_output(forward.dims, forward.dtype);
  return {std::move(forward), grad_output};
}

std::int64_t products(const Dims& d) {
  return d.N * d.Q * d.M * d.D * d.L * d.P;
}

std::int64_t multiply_adds(const Dims& d) {
  return 4 * products(d);
}

}  // namespace deformdiff::ms_deform_attn
