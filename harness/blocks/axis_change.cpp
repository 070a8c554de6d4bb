#include "blocks/axis_change.h"

#include "core/number.h"
#include "core/place.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

constexpr const char* kLocations = "sampling_loc";

const OldIndices* change_of(const AxisChange& change, char axis) {
  const auto found = change.axes.find(axis);
  return found == change.axes.end() ? nullptr : &found->second;
}

/// The extents along `axes` after the change.
Shape changed_extents(const std::string& axes, Shape sizes, const AxisChange& change) {
  for (std::size_t k = 0; k < axes.size(); ++k) {
    if (const OldIndices* old = change_of(change, axes[k])) sizes[k] = static_cast<std::int64_t>(old->size());
  }
  return sizes;
}

/// The shape of a tensor of these extents: heads and channels are one axis where no pixels are beside them.
Shape shape_along(const std::string& axes, Shape sizes) {
  if (axes != "NQMD") return sizes;
  sizes[2] *= sizes[3];
  sizes.pop_back();
  return sizes;
}

/// Copies the elements behind one index of each axis before `axis`.
class Copy {
 public:
  Copy(const std::string& axes, const Shape& old_sizes, const AxisChange& change, std::size_t width,
       std::span<const std::byte> from, Tensor::Bytes& to)
      : sizes_(changed_extents(axes, old_sizes, change)),
        strides_(contiguous_strides(old_sizes)),
        width_(width),
        from_(from),
        to_(to) {
    for (const char axis : axes) old_.push_back(change_of(change, axis));
  }

  void run() { copy(0, 0); }

 private:
  void copy(std::size_t axis, std::int64_t from) {
    if (axis == sizes_.size()) {
      std::memcpy(to_.data() + at_, from_.data() + static_cast<std::size_t>(from) * width_, width_);
      at_ += width_;
      return;
    }
    for (std::int64_t i = 0; i < sizes_[axis]; ++i) {
      const std::int64_t old = old_[axis] == nullptr ? i : (*old_[axis])[static_cast<std::size_t>(i)];
      if (old == kAdded) {
        skip(axis + 1);
      } else {
        copy(axis + 1, from + old * strides_[axis]);
      }
    }
  }

  /// Zeros are there.
  void skip(std::size_t axis) {
    std::size_t elements = 1;
    for (std::size_t k = axis; k < sizes_.size(); ++k) elements *= static_cast<std::size_t>(sizes_[k]);
    at_ += elements * width_;
  }

  Shape sizes_, strides_;
  std::vector<const OldIndices*> old_;
  std::size_t width_;
  std::span<const std::byte> from_;
  Tensor::Bytes& to_;
  std::size_t at_ = 0;
};

Tensor taken(const Tensor& tensor, const std::string& axes, const Shape& sizes, const AxisChange& change) {
  const bool is_same = std::ranges::none_of(axes, [&](char axis) { return change.axes.contains(axis); });
  if (is_same) return tensor;
  const Tensor dense = tensor.contiguous();
  const Shape extents = changed_extents(axes, sizes, change);
  const std::size_t width = size_of(dense.dtype());
  Tensor::Bytes bytes(static_cast<std::size_t>(element_count(extents)) * width);
  Copy(axes, sizes, change, width, dense.storage(), bytes).run();
  return Tensor(dense.dtype(), shape_along(axes, extents), std::move(bytes));
}

/// Locations [N, Q, M, L, P, 2] at their new places.
Tensor moved(const Tensor& locations, const Dims& dims, const AxisChange& change) {
  if (change.moves.empty()) return locations;
  const Tensor dense = locations.contiguous();
  const std::size_t width = size_of(dense.dtype());
  Tensor::Bytes bytes(dense.storage().begin(), dense.storage().end());
  for (std::int64_t i = 0; i < dense.elements(); ++i) {
    const Move& move = change.moves[static_cast<std::size_t>(i / 2 / dims.P % dims.L)][i % 2];
    std::byte* const at = bytes.data() + static_cast<std::size_t>(i) * width;
    const long double location = load_number(dense.dtype(), at);
    store_number(location * move.scale + move.shift, dense.dtype(), at);
  }
  return Tensor(dense.dtype(), dense.shape(), std::move(bytes));
}

/// Finds the elements of one output.
class Finder {
 public:
  Finder(std::string axes, const Dims& dims, const AxisChange& change)
      : axes_(std::move(axes)),
        sizes_(extents_along(axes_, dims)),
        strides_(contiguous_strides(changed_extents(axes_, sizes_, change))),
        moves_(change.moves) {
    for (std::size_t k = 0; k < axes_.size(); ++k) {
      const OldIndices* const old = change_of(change, axes_[k]);
      if (old == nullptr) {
        places_.emplace_back();
        continue;
      }
      std::vector<std::int64_t>& places =
          places_.emplace_back(static_cast<std::size_t>(sizes_[k]), std::int64_t{kNowhere});
      for (std::size_t i = 0; i < old->size(); ++i) {
        if ((*old)[i] != kAdded) places[static_cast<std::size_t>((*old)[i])] = static_cast<std::int64_t>(i);
      }
    }
  }

  Found find(std::int64_t element) const {
    Found found{0, 1};
    std::int64_t rest = element, coordinate = 0;
    for (std::size_t k = axes_.size(); k-- > 0;) {
      const std::int64_t index = rest % sizes_[k];
      rest /= sizes_[k];
      const std::int64_t place = places_[k].empty() ? index : places_[k][static_cast<std::size_t>(index)];
      if (place == kNowhere) return {};
      found.element += place * strides_[k];
      if (axes_[k] == '2') coordinate = index + 1;
      if (axes_[k] == 'L' && coordinate > 0 && !moves_.empty()) {
        // A step of the old coordinate is `scale` of the new one.
        found.factor =
            moves_[static_cast<std::size_t>(index)][static_cast<std::size_t>(coordinate - 1)].scale;
      }
    }
    return found;
  }

 private:
  static constexpr std::int64_t kNowhere = -1;

  std::string axes_;
  Shape sizes_, strides_;
  std::vector<std::vector<std::int64_t>> places_;  ///< new indices of old ones, by axis; empty if they stay
  std::vector<std::array<Move, 2>> moves_;
};

void set_levels(const std::vector<Level>& levels, Case& c) {
  std::vector<std::int64_t> sides, starts;
  for (const Level& level : levels) {
    sides.insert(sides.end(), {level.height, level.width});
    starts.push_back(level.start);
  }
  const auto count = static_cast<std::int64_t>(levels.size());
  for (NamedTensor& input : c.inputs) {
    if (input.name == "spatial_shapes") input.tensor = int64_tensor({count, 2}, sides);
    if (input.name == "level_start_index") input.tensor = int64_tensor({count}, starts);
  }
}

}  // namespace

std::string axes_of(const std::string& tensor) {
  static const std::map<std::string, std::string> axes{
      {"value", "NSMD"}, {"sampling_loc", "NQMLP2"}, {"attn_weight", "NQMLP"}, {"output", "NQMD"}};
  constexpr std::string_view kGradient = "grad_";
  return axes.at(tensor.starts_with(kGradient) ? tensor.substr(kGradient.size()) : tensor);
}

Shape extents_along(const std::string& axes, const Dims& dims) {
  const std::map<char, std::int64_t> extents{{'N', dims.N}, {'S', dims.S}, {'M', dims.M}, {'D', dims.D},
                                             {'Q', dims.Q}, {'L', dims.L}, {'P', dims.P}, {'2', 2}};
  Shape sizes;
  for (const char axis : axes) sizes.push_back(extents.at(axis));
  return sizes;
}

RelationTerm changed(const Case& c, const AxisChange& change) {
  const Dims dims = parse(c).dims;
  RelationTerm term{c, {}, 1};
  for (NamedTensor& input : term.problem.inputs) {
    if (!is_floating(input.tensor.dtype())) continue;
    const std::string axes = axes_of(input.name);
    Tensor tensor = input.name == kLocations ? moved(input.tensor, dims, change) : input.tensor;
    input.tensor = taken(tensor, axes, extents_along(axes, dims), change);
  }
  if (!change.levels.empty()) set_levels(change.levels, term.problem);

  const auto finders = std::make_shared<std::vector<Finder>>();
  const bool is_backward = c.block == backward_block().name();
  const BlockDefinition& definition = is_backward ? backward_block() : block();
  for (const std::string& output : definition.output_names())
    finders->emplace_back(axes_of(output), dims, change);
  term.find = [finders](std::size_t output, std::int64_t element) {
    return (*finders)[output].find(element);
  };
  return term;
}

}  // namespace deformdiff::ms_deform_attn
