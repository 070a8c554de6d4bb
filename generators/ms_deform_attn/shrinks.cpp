#include "generators/ms_deform_attn/shrinks.h"

#include "generators/ms_deform_attn/edits.h"
#include "generators/ms_deform_attn/simplicity.h"
#include "generators/ms_deform_attn/simplifications.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace deformdiff::ms_deform_attn {
namespace {

using Indices = std::vector<std::int64_t>;

/// Some candidates of one kind, each made on demand; nothing where a step would change nothing.
struct Stage {
  std::int64_t count;
  std::function<std::optional<Draft>(const Draft&, std::int64_t)> make;
};
using Stages = std::vector<Stage>;

constexpr std::array<Extent, 5> kExtents{Extent::kBatch, Extent::kQuery, Extent::kHead, Extent::kPoint,
                                         Extent::kChannel};
constexpr std::array<Input, 3> kElements{kValue, kWeights, kLocations};

Indices range(std::int64_t first, std::int64_t last) {
  Indices indices(static_cast<std::size_t>(last - first));
  std::iota(indices.begin(), indices.end(), first);
  return indices;
}

Indices all_but(std::int64_t count, std::int64_t first, std::int64_t last) {
  Indices indices = range(0, first);
  for (std::int64_t i = last; i < count; ++i) indices.push_back(i);
  return indices;
}

std::vector<Crop> levels_at(const Draft& draft, const Indices& levels) {
  const std::vector<Crop> whole = whole_levels(draft);
  std::vector<Crop> kept;
  for (const std::int64_t l : levels) kept.push_back(whole[static_cast<std::size_t>(l)]);
  return kept;
}

/// An axis of the problem: one of kExtents, or the levels.
struct AnyAxis {
  std::optional<Extent> extent;
  std::int64_t size;
};

std::vector<AnyAxis> axes_by_size(const Draft& draft) {
  std::vector<AnyAxis> axes;
  for (const Extent axis : kExtents) axes.push_back({axis, extent(draft, axis)});
  axes.push_back({std::nullopt, draft.structure.dims.L});
  std::ranges::stable_sort(axes, std::ranges::greater(), &AnyAxis::size);
  return axes;
}

Draft keep_any(const Draft& draft, const AnyAxis& axis, const Indices& indices) {
  if (axis.extent) return keep(draft, *axis.extent, indices);
  return keep_levels(draft, levels_at(draft, indices), Points::kOnPixels, Gaps::kKept);
}

/// Index 0 of every axis, or the last.
Stage single_everything() {
  return {2, [](const Draft& draft, std::int64_t which) -> std::optional<Draft> {
            std::optional<Draft> smaller;
            for (const AnyAxis& axis : axes_by_size(draft)) {
              if (axis.size <= 1) continue;
              const std::int64_t index = which == 0 ? 0 : axis.size - 1;
              smaller = keep_any(smaller ? *smaller : draft, axis, {index});
            }
            return smaller;
          }};
}

/// First and second half of each axis.
void add_halves(const Draft& draft, Stages& stages) {
  for (const AnyAxis& axis : axes_by_size(draft)) {
    if (axis.size <= 1) continue;
    const std::int64_t half = (axis.size + 1) / 2;
    stages.push_back({2, [axis, half](const Draft& from, std::int64_t which) -> std::optional<Draft> {
                        return keep_any(from, axis, which == 0 ? range(0, half) : range(half, axis.size));
                      }});
  }
}

/// A quarter, an eighth, ... one index off either end of each axis.
void add_trims(const Draft& draft, Stages& stages) {
  for (const AnyAxis& axis : axes_by_size(draft)) {
    for (std::int64_t chunk = axis.size / 4; chunk > 0; chunk /= 2) {
      stages.push_back({2, [axis, chunk](const Draft& from, std::int64_t which) -> std::optional<Draft> {
                          return keep_any(from, axis,
                                          which == 0 ? range(0, axis.size - chunk) : range(chunk, axis.size));
                        }});
    }
  }
}

/// Each axis without one chunk: of a quarter, an eighth, ... one index.
void add_drops(const Draft& draft, Stages& stages) {
  for (const AnyAxis& axis : axes_by_size(draft)) {
    if (axis.size <= 2) continue;
    for (std::int64_t chunk = std::max<std::int64_t>(1, axis.size / 4); chunk > 0; chunk /= 2) {
      const std::int64_t count = (axis.size + chunk - 1) / chunk;
      stages.push_back({count, [axis, chunk](const Draft& from, std::int64_t which) -> std::optional<Draft> {
                          const std::int64_t first = which * chunk;
                          const std::int64_t last = std::min(axis.size, first + chunk);
                          return keep_any(from, axis, all_but(axis.size, first, last));
                        }});
    }
  }
}

bool is_whole(const Draft& draft, const std::vector<Crop>& crops) {
  for (const Crop& crop : crops) {
    const Level& level = draft.structure.levels[crop.level];
    if (crop.height != level.height || crop.width != level.width) return false;
  }
  return true;
}

Stage crop_to_touched() {
  return {1, [](const Draft& draft, std::int64_t) -> std::optional<Draft> {
            const std::vector<Crop> parts = touched_parts(draft);
            if (is_whole(draft, parts)) return std::nullopt;
            return keep_levels(draft, parts, Points::kOnPixels, Gaps::kKept);
          }};
}

/// Each map down to one row or column, to half, or by a single row or column, from either end; first with the
/// points on their pixels, then in place.
void add_crops(const Draft& draft, Stages& stages) {
  const auto levels = static_cast<std::int64_t>(draft.structure.levels.size());
  for (const Points points : {Points::kOnPixels, Points::kInPlace}) {
    for (const int part : {0, 1, 2}) {
      stages.push_back(
          {levels * 4, [points, part](const Draft& from, std::int64_t which) -> std::optional<Draft> {
             std::vector<Crop> crops = whole_levels(from);
             Crop& crop = crops[static_cast<std::size_t>(which / 4)];
             const bool vertical = which % 2 == 0;
             std::int64_t& size = vertical ? crop.height : crop.width;
             std::int64_t& begin = vertical ? crop.top : crop.left;
             if (size <= 1) return std::nullopt;
             const std::int64_t old = size;
             size = part == 0 ? (old + 1) / 2 : part == 1 ? 1 : old - 1;
             if (which % 4 >= 2) begin = old - size;
             return keep_levels(from, crops, points, Gaps::kKept);
           }});
    }
  }
}

bool has_gaps(const Draft& draft) {
  std::int64_t covered = 0;
  for (const Level& level : draft.structure.levels) covered += level.height * level.width;
  return covered != draft.structure.dims.S;
}

Stage tidy_levels() {
  return {2, [](const Draft& draft, std::int64_t which) -> std::optional<Draft> {
            const Structure& s = draft.structure;
            std::int64_t row = 0;
            bool consecutive = !has_gaps(draft);
            for (const Level& level : s.levels) {
              consecutive = consecutive && level.start == row;
              row += level.height * level.width;
            }
            if (consecutive || (which == 1 && !has_gaps(draft))) return std::nullopt;
            Draft tidy = keep_levels(draft, whole_levels(draft), Points::kInPlace,
                                     which == 0 ? Gaps::kConsecutive : Gaps::kDropped);
            return tidy;
          }};
}

Stage simpler_step(const std::vector<std::int64_t>& steps) {
  return {static_cast<std::int64_t>(steps.size()),
          [steps](const Draft& draft, std::int64_t which) -> std::optional<Draft> {
            const std::int64_t old = draft.structure.im2col_step;
            const std::int64_t step = steps[static_cast<std::size_t>(which)];
            if (step < 1 || old == 64 || (step != 64 && step >= old)) return std::nullopt;
            Draft simpler = draft;
            simpler.structure.im2col_step = step;
            return simpler;
          }};
}

/// Batch and step together, where neither alone may change: a batch of 2 in steps of 1, of 3 in steps of 2.
Stage small_batch_with_step() {
  return {2, [](const Draft& draft, std::int64_t which) -> std::optional<Draft> {
            const std::int64_t step = which + 1;
            if (draft.structure.dims.N <= step + 1) return std::nullopt;
            Draft smaller =
                keep(draft, Extent::kBatch, range(draft.structure.dims.N - step - 1, draft.structure.dims.N));
            smaller.structure.im2col_step = step;
            return smaller;
          }};
}

const Tensor& elements_tensor(const Draft& draft, std::size_t input) {
  return input == kValue ? draft.value : input == kLocations ? draft.locations : draft.weights;
}

Shape shape_of(std::size_t input, const Draft& draft) {
  const std::int64_t levels = draft.structure.dims.L;
  if (input == kShapes) return {levels, 2};
  if (input == kStarts) return {levels};
  return elements_tensor(draft, input).shape();
}

Stage contiguous_everything() {
  return {1, [](const Draft& draft, std::int64_t) -> std::optional<Draft> {
            Draft simpler = draft;
            std::int64_t old = 0;
            for (std::size_t k = 0; k < kInputs; ++k) {
              old += complexity(draft.layouts[k], shape_of(k, draft));
              simpler.layouts[k] = simpler_traits(draft.layouts[k]).front();
            }
            return old > 0 ? std::optional<Draft>(simpler) : std::nullopt;
          }};
}

void add_layouts(const Draft& draft, Stages& stages) {
  for (std::size_t k = 0; k < kInputs; ++k) {
    if (complexity(draft.layouts[k], shape_of(k, draft)) == 0) continue;
    const auto count = static_cast<std::int64_t>(simpler_traits(draft.layouts[k]).size());
    stages.push_back({count, [k](const Draft& from, std::int64_t which) -> std::optional<Draft> {
                        Draft simpler = from;
                        simpler.layouts[k] = simpler_traits(from.layouts[k])[static_cast<std::size_t>(which)];
                        const Shape shape = shape_of(k, from);
                        if (complexity(simpler.layouts[k], shape) >= complexity(from.layouts[k], shape))
                          return std::nullopt;
                        return simpler;
                      }});
  }
}

/// Every element of one input by one of the simplifications.
Stage whole_input(Input input, std::vector<Simplify> steps) {
  const auto count = static_cast<std::int64_t>(steps.size());
  return {count, [input, steps = std::move(steps)](const Draft& draft, std::int64_t which) {
            return simplified(draft, input, kAllElements, steps[static_cast<std::size_t>(which)]);
          }};
}

/// Small numbers of their own for neighbours: enough for a fault that a constant hides.
Stage small_numbers() {
  return {2, [](const Draft& draft, std::int64_t which) {
            const std::int64_t row = draft.structure.dims.M * draft.structure.dims.D;
            return simplified(draft, kValue, kAllElements, [=](double, const ElementPlace& place) {
              const std::int64_t index = which == 0 ? place.index / row : place.index;
              return static_cast<double>(index % 5 == 4 ? 0 : 1 << (index % 5));
            });
          }};
}

/// One index of an axis of one input at a time, set to a constant.
void add_slices(const Draft& draft, Stages& stages) {
  static constexpr std::int64_t kFew = 32;
  for (const Input input : kElements) {
    const Shape shape = shape_of(input, draft);
    std::int64_t inner = element_count(shape);
    for (const std::int64_t size : shape) {
      if (inner == 0) return;
      inner /= size;
      if (size == 1 || size > kFew || size == elements_tensor(draft, input).elements()) continue;
      const std::vector<Simplify> constants = constants_for(input);
      const auto ways = static_cast<std::int64_t>(constants.size());
      stages.push_back({size * ways, [=](const Draft& from, std::int64_t which) {
                          const Elements slice{which / ways * inner, inner, size * inner};
                          return simplified(from, input, slice,
                                            constants[static_cast<std::size_t>(which % ways)]);
                        }});
    }
  }
}

/// Chunks of half the elements, a quarter, ... one, set to a constant; delta debugging.
void add_chunks(const Draft& draft, Stages& stages, bool single) {
  for (const Input input : kElements) {
    const std::int64_t elements = elements_tensor(draft, input).elements();
    const std::vector<Simplify> constants = constants_for(input);
    const auto ways = static_cast<std::int64_t>(constants.size());
    for (std::int64_t chunk = (elements + 1) / 2; elements > 1; chunk = (chunk + 1) / 2) {
      if ((chunk <= 2) == single) {
        stages.push_back({(elements + chunk - 1) / chunk * ways, [=](const Draft& from, std::int64_t which) {
                            const Elements one{which / ways * chunk, chunk, 0};
                            return simplified(from, input, one,
                                              constants[static_cast<std::size_t>(which % ways)]);
                          }});
      }
      if (chunk == 1) break;
    }
  }
}

/// Each element by each rounding.
void add_single_roundings(const Draft& draft, Stages& stages) {
  for (const Input input : kElements) {
    std::vector<Simplify> steps = roundings_for(input, draft.structure.dtype);
    const auto ways = static_cast<std::int64_t>(steps.size());
    stages.push_back(
        {elements_tensor(draft, input).elements() * ways, [=](const Draft& from, std::int64_t which) {
           return simplified(from, input, {which / ways, 1, 0},
                             steps[static_cast<std::size_t>(which % ways)]);
         }});
  }
}

/// Of a problem and its transposition, one is the normal form.
Stage transposition() {
  return {1, [](const Draft& draft, std::int64_t) -> std::optional<Draft> {
            std::optional<Draft> turned = transposed(draft);
            if (!turned || !is_simpler(case_of(*turned), case_of(draft))) return std::nullopt;
            return turned;
          }};
}

Stages stages_of(const Draft& draft) {
  Stages stages{single_everything()};
  add_halves(draft, stages);
  stages.push_back(small_batch_with_step());
  stages.push_back(crop_to_touched());
  stages.push_back(tidy_levels());
  stages.push_back(simpler_step({64, 1}));
  stages.push_back(contiguous_everything());
  for (const Input input : kElements) stages.push_back(whole_input(input, constants_for(input)));
  stages.push_back(small_numbers());
  add_trims(draft, stages);
  add_crops(draft, stages);
  add_layouts(draft, stages);
  for (const Input input : kElements)
    stages.push_back(whole_input(input, roundings_for(input, draft.structure.dtype)));
  add_slices(draft, stages);
  add_chunks(draft, stages, false);
  stages.push_back(simpler_step({draft.structure.im2col_step / 2, draft.structure.im2col_step - 1}));
  stages.push_back(transposition());
  add_drops(draft, stages);
  add_chunks(draft, stages, true);
  add_single_roundings(draft, stages);
  return stages;
}

/// The candidates of the stages, one after the other.
class Candidates {
 public:
  explicit Candidates(const Case& c) : draft_(std::make_shared<const Draft>(draft_of(c))) {
    stages_ = std::make_shared<const Stages>(stages_of(*draft_));
  }

  rc::Maybe<Case> operator()() {
    while (stage_ < stages_->size()) {
      const Stage& stage = (*stages_)[stage_];
      if (next_ >= stage.count) {
        ++stage_;
        next_ = 0;
        continue;
      }
      if (const std::optional<Draft> smaller = stage.make(*draft_, next_++)) return case_of(*smaller);
    }
    return rc::Nothing;
  }

 private:
  std::shared_ptr<const Draft> draft_;
  std::shared_ptr<const Stages> stages_;
  std::size_t stage_ = 0;
  std::int64_t next_ = 0;
};

}  // namespace

rc::Seq<Case> shrinks(const Case& c) {
  return rc::makeSeq<Candidates>(c);
}

CaseStream shrink_stream(const Case& c) {
  return [seq = shrinks(c)]() mutable -> std::optional<Case> {
    rc::Maybe<Case> next = seq.next();
    if (!next) return std::nullopt;
    return std::move(*next);
  };
}

}  // namespace deformdiff::ms_deform_attn
