#include "generators/ms_deform_attn/edits.h"

#include "generators/ms_deform_attn/shapes.h"
#include "generators/ms_deform_attn/simplicity.h"
#include "generators/common/numbers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

namespace deformdiff::ms_deform_attn {
namespace {

/// Indices of one axis of a contiguous tensor.
Tensor take(const Tensor& tensor, std::size_t axis, const std::vector<std::int64_t>& indices) {
  Shape shape = tensor.shape();
  std::size_t outer = 1;
  std::size_t inner = size_of(tensor.dtype());
  for (std::size_t a = 0; a < axis; ++a) outer *= static_cast<std::size_t>(shape[a]);
  for (std::size_t a = axis + 1; a < shape.size(); ++a) inner *= static_cast<std::size_t>(shape[a]);
  const auto extent = static_cast<std::size_t>(shape[axis]);
  shape[axis] = static_cast<std::int64_t>(indices.size());
  Tensor::Bytes bytes(outer * indices.size() * inner);
  std::byte* to = bytes.data();
  for (std::size_t o = 0; o < outer; ++o) {
    for (const std::int64_t index : indices) {
      if (inner > 0)
        std::memcpy(to, tensor.storage().data() + (o * extent + static_cast<std::size_t>(index)) * inner,
                    inner);
      to += inner;
    }
  }
  return Tensor(tensor.dtype(), std::move(shape), std::move(bytes));
}

/// The levels in the order of their rows, and the rows in front of each that no level owns.
struct RowPlan {
  std::vector<std::size_t> order;
  std::vector<std::vector<std::int64_t>> gap_before;  ///< by place in `order`
  std::vector<std::int64_t> tail;
};

RowPlan plan_rows(const Structure& s) {
  RowPlan plan;
  plan.order.resize(s.levels.size());
  std::iota(plan.order.begin(), plan.order.end(), std::size_t{0});
  std::ranges::stable_sort(plan.order, {}, [&](std::size_t l) { return s.levels[l].start; });
  std::int64_t end = 0;
  const auto up_to = [&end](std::int64_t row) {
    std::vector<std::int64_t> rows;
    for (; end < row; ++end) rows.push_back(end);
    return rows;
  };
  for (const std::size_t l : plan.order) {
    plan.gap_before.push_back(up_to(s.levels[l].start));
    end = std::max(end, s.levels[l].start + s.levels[l].height * s.levels[l].width);
  }
  plan.tail = up_to(s.dims.S);
  return plan;
}

/// Fills in the starts of `levels` and returns the rows of the old value that make the new one.
std::vector<std::int64_t> choose_rows(const Structure& old, const std::vector<Crop>& crops, Gaps gaps,
                                      std::vector<Level>& levels) {
  const RowPlan plan = plan_rows(old);
  std::vector<std::int64_t> rows;
  const auto add_level = [&](std::size_t k) {
    const Crop& crop = crops[k];
    const Level& from = old.levels[crop.level];
    levels[k] = {crop.height, crop.width, static_cast<std::int64_t>(rows.size())};
    for (std::int64_t y = 0; y < crop.height; ++y) {
      for (std::int64_t x = 0; x < crop.width; ++x) {
        rows.push_back(from.start + (crop.top + y) * from.width + crop.left + x);
      }
    }
  };
  if (gaps == Gaps::kConsecutive) {
    for (std::size_t k = 0; k < crops.size(); ++k) add_level(k);
    return rows;
  }
  for (std::size_t place = 0; place < plan.order.size(); ++place) {
    for (std::size_t k = 0; k < crops.size(); ++k) {
      if (crops[k].level != plan.order[place]) continue;
      if (gaps == Gaps::kKept)
        rows.insert(rows.end(), plan.gap_before[place].begin(), plan.gap_before[place].end());
      add_level(k);
    }
  }
  if (gaps == Gaps::kKept) rows.insert(rows.end(), plan.tail.begin(), plan.tail.end());
  return rows;
}

/// The same pixel of a map that begins `offset` pixels later and has `side` of the old `old_side` pixels.
template <typename T>
T moved(T location, std::int64_t old_side, std::int64_t offset, std::int64_t side) {
  if (offset == 0 && side == old_side) return location;
  const PixelPlace place = pixel_place(location, old_side);
  const auto shift = static_cast<double>(offset);
  if (place.dyadic) {
    return step_ulps(location_of<T>(static_cast<double>(place.eighths) / 8 - shift, side), place.ulps);
  }
  const double most = static_cast<double>(old_side) * 4;
  if (!std::isfinite(location) || std::abs(place.pixel) > most) return location;
  return location_of<T>(place.pixel - shift, side);
}

template <typename T>
Tensor moved_locations(const Tensor& locations, const Structure& old, const std::vector<Crop>& crops,
                       std::int64_t points) {
  Tensor::Bytes bytes(locations.storage().begin(), locations.storage().end());
  T* const out = reinterpret_cast<T*>(bytes.data());
  const std::int64_t count = locations.elements() / 2;
  for (std::int64_t i = 0; i < count; ++i) {
    const Crop& crop = crops[static_cast<std::size_t>(i / points) % crops.size()];
    const Level& level = old.levels[crop.level];
    out[2 * i] = moved(out[2 * i], level.width, crop.left, crop.width);
    out[2 * i + 1] = moved(out[2 * i + 1], level.height, crop.top, crop.height);
  }
  return Tensor(locations.dtype(), locations.shape(), std::move(bytes));
}

/// Extends [first, last] by the pixels that a coordinate reads of a side.
template <typename T>
void touch(T location, std::int64_t side, std::int64_t& first, std::int64_t& last) {
  const double pixel = static_cast<double>(location) * static_cast<double>(side) - 0.5;
  if (!(pixel > -2 && pixel < static_cast<double>(side) + 1)) return;
  const auto low = static_cast<std::int64_t>(std::floor(pixel));
  // A pixel more on either side, where the coordinate is so near that its rounding decides.
  const double fraction = pixel - static_cast<double>(low);
  const std::int64_t begin = fraction < 1e-3 && fraction > 0 ? low - 1 : low;
  const std::int64_t end = fraction == 0 ? low : (fraction > 1 - 1e-3 ? low + 2 : low + 1);
  first = std::min(first, std::clamp<std::int64_t>(begin, 0, side - 1));
  last = std::max(last, std::clamp<std::int64_t>(end, 0, side - 1));
}

template <typename T>
std::vector<Crop> touched(const Draft& draft) {
  const Structure& s = draft.structure;
  std::vector<Crop> parts;
  for (std::size_t l = 0; l < s.levels.size(); ++l) {
    parts.push_back({l, s.levels[l].height, 0, s.levels[l].width, 0});
  }
  std::vector<std::array<std::int64_t, 2>> last(parts.size(), {-1, -1});
  const auto xy = draft.locations.values<T>();
  for (std::size_t i = 0; i < xy.size() / 2; ++i) {
    Crop& part = parts[i / static_cast<std::size_t>(s.dims.P) % parts.size()];
    touch(xy[2 * i], s.levels[part.level].width, part.left, last[part.level][0]);
    touch(xy[2 * i + 1], s.levels[part.level].height, part.top, last[part.level][1]);
  }
  for (Crop& part : parts) {
    if (last[part.level][0] < 0) part.left = last[part.level][0] = 0;
    if (last[part.level][1] < 0) part.top = last[part.level][1] = 0;
    part.width = last[part.level][0] - part.left + 1;
    part.height = last[part.level][1] - part.top + 1;
  }
  return parts;
}

std::int64_t side_of(const Structure& s, std::int64_t index) {
  const Level& level = s.levels[static_cast<std::size_t>(index / 2 / s.dims.P % s.dims.L)];
  return index % 2 == 0 ? level.width : level.height;
}

/// Whether a row-major element repeats another by an axis of stride 0.
bool is_repetition(const Tensor& tensor, const LayoutTraits& layout, std::int64_t index) {
  for (std::size_t a = tensor.shape().size(); a-- > 0;) {
    if (layout.expanded[a] && index % tensor.dim(a) != 0) return true;
    index /= tensor.dim(a);
  }
  return false;
}

template <typename T>
std::optional<Tensor> simplified_elements(const Draft& draft, Input input, const Tensor& tensor,
                                          const Elements& some, const Simplify& simplify) {
  const auto old = tensor.values<T>();
  std::optional<Tensor::Bytes> bytes;
  const auto rank = [&](T x, std::int64_t side) {
    return input == kLocations ? rank_of_location(x, side) : rank_of(static_cast<double>(x));
  };
  const bool any_expanded =
      std::ranges::find(draft.layouts[input].expanded, true) != draft.layouts[input].expanded.end();
  const std::int64_t end = tensor.elements();
  std::int64_t run = some.first;
  for (std::int64_t i = run; i < end; ++i) {
    if (i - run == some.count) {
      if (some.every == 0) break;
      i = run += some.every;
      if (i >= end) break;
    }
    const T from = old[static_cast<std::size_t>(i)];
    const std::int64_t side = input == kLocations ? side_of(draft.structure, i) : 0;
    const T to = static_cast<T>(simplify(static_cast<double>(from), {i, side}));
    if (to == from || (any_expanded && is_repetition(tensor, draft.layouts[input], i))) continue;
    if (!(rank(to, side) < rank(from, side))) continue;
    if (!bytes) bytes.emplace(tensor.storage().begin(), tensor.storage().end());
    reinterpret_cast<T*>(bytes->data())[i] = to;
  }
  if (!bytes) return std::nullopt;
  return Tensor(tensor.dtype(), tensor.shape(), std::move(*bytes));
}

}  // namespace

Draft draft_of(const Case& c) {
  const Problem problem = parse(c);
  Draft draft{{problem.dtype, problem.dims, problem.levels, problem.im2col_step},
              problem.value.contiguous(),
              problem.sampling_loc.contiguous(),
              problem.attn_weight.contiguous(),
              {},
              c.provenance};
  DEFORMDIFF_CHECK(c.inputs.size() == kInputs);
  const std::vector<std::string> names = block().inputs();
  for (std::size_t k = 0; k < kInputs; ++k) draft.layouts[k] = traits_of(c.input(names[k]));
  return draft;
}

Case case_of(const Draft& draft) {
  Case c = assemble(draft.structure, draft.value, draft.locations, draft.weights);
  for (std::size_t k = 0; k < kInputs; ++k)
    c.inputs[k].tensor = with_traits(c.inputs[k].tensor, draft.layouts[k]);
  c.provenance = draft.provenance;
  c.provenance.generator = "shrunk";
  return c;
}

std::int64_t extent(const Draft& draft, Extent axis) {
  const Dims& d = draft.structure.dims;
  switch (axis) {
    case Extent::kBatch:
      return d.N;
    case Extent::kQuery:
      return d.Q;
    case Extent::kHead:
      return d.M;
    case Extent::kChannel:
      return d.D;
    case Extent::kPoint:
      return d.P;
  }
  return 0;
}

Draft keep(const Draft& draft, Extent axis, const std::vector<std::int64_t>& indices) {
  Draft smaller = draft;
  Dims& d = smaller.structure.dims;
  const auto count = static_cast<std::int64_t>(indices.size());
  const auto take_points = [&](std::size_t from_axis) {
    smaller.locations = take(draft.locations, from_axis, indices);
    smaller.weights = take(draft.weights, from_axis, indices);
  };
  switch (axis) {
    case Extent::kBatch:
      d.N = count;
      smaller.value = take(draft.value, 0, indices);
      take_points(0);
      break;
    case Extent::kQuery:
      d.Q = count;
      take_points(1);
      break;
    case Extent::kHead:
      d.M = count;
      smaller.value = take(draft.value, 2, indices);
      take_points(2);
      break;
    case Extent::kChannel:
      d.D = count;
      smaller.value = take(draft.value, 3, indices);
      break;
    case Extent::kPoint:
      d.P = count;
      take_points(4);
      break;
  }
  return smaller;
}

Draft keep_levels(const Draft& draft, const std::vector<Crop>& crops, Points points, Gaps gaps) {
  Draft smaller = draft;
  Structure& s = smaller.structure;
  s.levels.assign(crops.size(), {});
  const std::vector<std::int64_t> rows = choose_rows(draft.structure, crops, gaps, s.levels);
  s.dims.S = static_cast<std::int64_t>(rows.size());
  s.dims.L = static_cast<std::int64_t>(crops.size());
  smaller.value = take(draft.value, 1, rows);
  if (crops.size() != draft.structure.levels.size()) {
    std::vector<std::int64_t> levels;
    for (const Crop& crop : crops) levels.push_back(static_cast<std::int64_t>(crop.level));
    smaller.locations = take(draft.locations, 3, levels);
    smaller.weights = take(draft.weights, 3, levels);
  }
  if (points == Points::kInPlace || smaller.locations.elements() == 0) return smaller;
  smaller.locations = s.dtype == DType::kFloat64
                          ? moved_locations<double>(smaller.locations, draft.structure, crops, s.dims.P)
                          : moved_locations<float>(smaller.locations, draft.structure, crops, s.dims.P);
  return smaller;
}

std::vector<Crop> whole_levels(const Draft& draft) {
  std::vector<Crop> crops;
  const std::vector<Level>& levels = draft.structure.levels;
  for (std::size_t l = 0; l < levels.size(); ++l)
    crops.push_back({l, 0, levels[l].height, 0, levels[l].width});
  return crops;
}

std::vector<Crop> touched_parts(const Draft& draft) {
  if (draft.locations.elements() == 0) {
    std::vector<Crop> crops = whole_levels(draft);
    for (Crop& crop : crops) crop.height = crop.width = 1;
    return crops;
  }
  return draft.structure.dtype == DType::kFloat64 ? touched<double>(draft) : touched<float>(draft);
}

std::optional<Draft> transposed(const Draft& draft) {
  Draft turned = draft;
  std::vector<bool> used(static_cast<std::size_t>(draft.structure.dims.S), false);
  std::vector<std::int64_t> rows(used.size());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  for (Level& level : turned.structure.levels) {
    for (std::int64_t y = 0; y < level.height; ++y) {
      for (std::int64_t x = 0; x < level.width; ++x) {
        const auto to = static_cast<std::size_t>(level.start + x * level.height + y);
        if (used[to]) return std::nullopt;
        used[to] = true;
        rows[to] = level.start + y * level.width + x;
      }
    }
    std::swap(level.height, level.width);
  }
  turned.value = take(draft.value, 1, rows);
  const std::size_t width = size_of(draft.structure.dtype);
  Tensor::Bytes bytes(draft.locations.storage().begin(), draft.locations.storage().end());
  for (auto at = bytes.begin(); at != bytes.end(); at += static_cast<std::ptrdiff_t>(2 * width)) {
    std::swap_ranges(at, at + static_cast<std::ptrdiff_t>(width), at + static_cast<std::ptrdiff_t>(width));
  }
  turned.locations = Tensor(draft.structure.dtype, draft.locations.shape(), std::move(bytes));
  return turned;
}

std::optional<Draft> simplified(const Draft& draft, Input input, const Elements& some,
                                const Simplify& simplify) {
  const auto member = input == kValue       ? &Draft::value
                      : input == kLocations ? &Draft::locations
                                            : &Draft::weights;
  const Tensor& tensor = draft.*member;
  if (tensor.elements() == 0) return std::nullopt;
  std::optional<Tensor> changed = draft.structure.dtype == DType::kFloat64
                                      ? simplified_elements<double>(draft, input, tensor, some, simplify)
                                      : simplified_elements<float>(draft, input, tensor, some, simplify);
  if (!changed) return std::nullopt;
  Draft simpler = draft;
  simpler.*member = std::move(*changed);
  return simpler;
}

}  // namespace deformdiff::ms_deform_attn
