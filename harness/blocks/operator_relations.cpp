#include "blocks/operator_relations.h"

#include "blocks/axis_change.h"
#include "blocks/noise_line.h"
#include "core/number.h"
#include "core/random.h"
#include "core/sixteen_bits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// A case taken apart, and which block's it is.
struct Source {
  const Case& c;
  Problem problem;
};

/// The relation of one case, without its name: terms, or why there are none.
using Make = std::function<Relation(const Source&)>;

struct Row {
  RelationKind kind;
  Make make;
};

Relation not_applicable(std::string why) {
  return {{}, {}, std::move(why)};
}

/// What the axes that can be permuted or split are called, by letter.
struct Axis {
  char letter;
  const char* name;
};
constexpr Axis kBatch{'N', "batch"}, kQueries{'Q', "queries"}, kHeads{'M', "heads"},
    kChannels{'D', "channels"}, kLevels{'L', "levels"}, kPoints{'P', "points"};

std::int64_t extent_of(const Source& source, char axis) {
  return extents_along({axis}, source.problem.dims).front();
}

OldIndices counted(std::int64_t first, std::int64_t last) {
  OldIndices indices(static_cast<std::size_t>(std::max<std::int64_t>(last - first, 0)));
  std::iota(indices.begin(), indices.end(), first);
  return indices;
}

std::string too_few(const Axis& axis, std::int64_t extent) {
  return fmt::format("{} {}: two wanted", extent, axis.name);
}

/// The first half and the rest, each a call of its own.
Relation split(const Source& source, const Axis& axis) {
  const std::int64_t extent = extent_of(source, axis.letter);
  if (extent < 2) return not_applicable(too_few(axis, extent));
  Relation relation;
  const std::int64_t half = (extent + 1) / 2;
  for (const auto& [first, last] : {std::pair{std::int64_t{0}, half}, std::pair{half, extent}}) {
    AxisChange change;
    change.axes[axis.letter] = counted(first, last);
    relation.terms.push_back(changed(source.c, change));
  }
  return relation;
}

/// Any permutation that leaves none of few in its place: at random, then by one further.
OldIndices shuffled(std::int64_t extent) {
  OldIndices order = counted(0, extent);
  const CounterRandom random(static_cast<std::uint64_t>(extent));
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random.below(i, i + 1)]);
  OldIndices further = order;
  for (std::size_t i = 0; i < order.size(); ++i) {
    further[static_cast<std::size_t>(order[i])] = order[(i + 1) % order.size()];
  }
  return further;
}

Relation permuted(const Source& source, const Axis& axis) {
  const std::int64_t extent = extent_of(source, axis.letter);
  if (extent < 2) return not_applicable(too_few(axis, extent));
  AxisChange change;
  change.axes[axis.letter] = shuffled(extent);
  return {{}, {changed(source.c, change)}, {}, true};
}

/// Where levels follow each other they still do, for who relies on it; elsewhere rows stay where they are.
Relation permuted_levels(const Source& source) {
  const std::vector<Level>& levels = source.problem.levels;
  const auto count = static_cast<std::int64_t>(levels.size());
  if (count < 2) return not_applicable(too_few(kLevels, count));
  AxisChange change;
  const OldIndices order = shuffled(count);
  const bool moves_rows = source.problem.has_consecutive_levels();
  OldIndices rows;
  for (const std::int64_t old : order) {
    Level level = levels[static_cast<std::size_t>(old)];
    const OldIndices of_level = counted(level.start, level.start + level.height * level.width);
    if (moves_rows) level.start = static_cast<std::int64_t>(rows.size());
    rows.insert(rows.end(), of_level.begin(), of_level.end());
    change.levels.push_back(level);
  }
  change.axes['L'] = order;
  if (moves_rows) change.axes['S'] = rows;
  return {{}, {changed(source.c, change)}, {}, true};
}

/// One image at a time, or all at once where that is the case's own way.
Relation chunked(const Source& source) {
  if (source.problem.dims.N < 2) return not_applicable(too_few(kBatch, source.problem.dims.N));
  RelationTerm term = changed(source.c, {});
  term.problem.attributes["im2col_step"] =
      source.problem.im2col_step == 1 ? static_cast<double>(source.problem.dims.N) : 1;
  return {{}, {std::move(term)}, {}, true};
}

/// Whether output number `output` of the block is linear in the input, or does not depend on it.
bool is_linear(const Source& source, std::size_t output, const std::string& input) {
  if (source.c.block == block().name()) return true;
  constexpr std::size_t kValue = 0, kWeight = 2;
  return !(input == "value" && output == kValue) && !(input == "attn_weight" && output == kWeight);
}

/// The same elements, times `factor` where the output is linear in the input and times `other` elsewhere.
RelationTerm scaled_term(const Source& source, const std::string& input, Tensor tensor, double factor,
                         double other) {
  RelationTerm term{source.c, {}, 1};
  for (NamedTensor& each : term.problem.inputs) {
    if (each.name == input) each.tensor = std::move(tensor);
  }
  std::vector<double> factors;
  for (std::size_t output = 0; output < 3; ++output) {
    factors.push_back(is_linear(source, output, input) ? factor : other);
  }
  term.find = [factors](std::size_t output, std::int64_t element) {
    const double own = factors[output];
    return own == 0 ? Found{} : Found{element, own};
  };
  return term;
}

Tensor mapped(const Tensor& tensor, const std::function<double(double number, std::int64_t element)>& map) {
  const Tensor dense = tensor.contiguous();
  const std::size_t width = size_of(dense.dtype());
  Tensor::Bytes bytes(dense.storage().begin(), dense.storage().end());
  for (std::int64_t i = 0; i < dense.elements(); ++i) {
    std::byte* const at = bytes.data() + static_cast<std::size_t>(i) * width;
    store_number(map(load_number(dense.dtype(), at), i), dense.dtype(), at);
  }
  return Tensor(dense.dtype(), dense.shape(), std::move(bytes));
}

/// The sum of two tensors that are zero where the other is not.
Relation linear(const Source& source, const std::string& input) {
  const Tensor& tensor = source.c.input(input);
  if (tensor.elements() < 2) return not_applicable("fewer than two numbers to share out");
  const CounterRandom random(static_cast<std::uint64_t>(tensor.elements()));
  Relation relation;
  for (const std::uint64_t part : {0, 1}) {
    const Tensor half = mapped(tensor, [&](double number, std::int64_t i) {
      // The first two are in different parts, however few there are.
      const std::uint64_t own =
          i < 2 ? static_cast<std::uint64_t>(i) : random.bits(static_cast<std::uint64_t>(i)) % 2;
      return own == part ? number : 0;
    });
    relation.terms.push_back(scaled_term(source, input, half, 1, part == 0 ? 1 : 0));
  }
  return relation;
}

/// Times -1/2, which makes nothing larger.
Relation scaled(const Source& source, const std::string& input) {
  const Tensor& tensor = source.c.input(input);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const double magnitude = std::fabs(tensor.element(i));
    if (magnitude > 0 && magnitude < 2 * float_format(tensor.dtype()).smallest_normal)
      return not_applicable("numbers too small to be halved");
  }
  const Tensor half = mapped(source.c.input(input), [](double number, std::int64_t) { return number / -2; });
  return {{}, {scaled_term(source, input, half, -2, 1)}, {}};
}

bool levels_overlap(std::vector<Level> levels) {
  std::ranges::sort(levels, {}, &Level::start);
  std::int64_t end = 0;
  for (const Level& level : levels) {
    if (level.start < end) return true;
    end = level.start + level.height * level.width;
  }
  return false;
}

/// The old row of pixel (y, x) of a level made from `old`; kAdded outside of it.
using OldRow = std::function<std::int64_t(const Level& old, std::int64_t y, std::int64_t x)>;

/// A level of other sides, its points moved, in x and y.
struct NewMap {
  std::int64_t height, width;
  std::array<Move, 2> moves;
};
using MakeMap = std::function<NewMap(const Level& old)>;

/// Moved points are rounded to the case's type. On a side of so many pixels that may be more than the eighth
/// of a pixel up to which an answer is about straight.
bool are_places_coarse(std::int64_t side, DType dtype) {
  constexpr double kStraight = 0.125;
  return kNudge * 2 * float_format(dtype).unit_roundoff * static_cast<double>(side) > kStraight;
}

/// Every level's map made anew, one after the other.
Relation remapped(const Source& source, bool swaps, const MakeMap& make, const OldRow& old_row) {
  if (source.problem.dims.L == 0) return not_applicable("no levels");
  if (levels_overlap(source.problem.levels)) return not_applicable("levels share rows");
  AxisChange change;
  OldIndices rows;
  double noise = 1;
  for (const Level& old : source.problem.levels) {
    const NewMap map = make(old);
    if (!swaps && are_places_coarse(std::max(map.height, map.width), source.problem.dtype)) {
      return not_applicable(fmt::format("{} locations on a map of {} x {}", name_of(source.problem.dtype),
                                        old.height, old.width));
    }
    change.levels.push_back({map.height, map.width, static_cast<std::int64_t>(rows.size())});
    for (std::int64_t y = 0; y < map.height; ++y) {
      for (std::int64_t x = 0; x < map.width; ++x) rows.push_back(old_row(old, y, x));
    }
    if (!swaps) change.moves.push_back(map.moves);
    // Coordinates are of the size of their map, and so is their rounding.
    for (const Move& move : map.moves) noise = std::max(noise, 1 / std::fabs(move.scale));
  }
  change.axes['S'] = std::move(rows);
  if (swaps) change.axes['2'] = {1, 0};
  Relation relation{{}, {changed(source.c, change)}, {}};
  relation.rounds = !swaps;
  relation.terms.front().noise = noise;
  return relation;
}

Relation transposed(const Source& source) {
  return remapped(
      source, true,
      [](const Level& old) {
        return NewMap{old.width, old.height, {}};
      },
      [](const Level& old, std::int64_t y, std::int64_t x) { return old.start + x * old.width + y; });
}

Relation turned(const Source& source) {
  constexpr Move kMirrored{-1, 1};
  return remapped(
      source, false,
      [&](const Level& old) {
        return NewMap{old.height, old.width, {kMirrored, kMirrored}};
      },
      [](const Level& old, std::int64_t y, std::int64_t x) {
        return old.start + (old.height - 1 - y) * old.width + old.width - 1 - x;
      });
}

/// Two columns before, one behind, one row above and two below: a border becomes a pixel like others.
Relation padded(const Source& source) {
  constexpr std::int64_t kLeft = 2, kAbove = 1, kBoth = 3;
  return remapped(
      source, false,
      [&](const Level& old) {
        const auto move = [](std::int64_t side, std::int64_t before) {
          const auto wider = static_cast<double>(side + kBoth);
          return Move{static_cast<double>(side) / wider, static_cast<double>(before) / wider};
        };
        return NewMap{
            old.height + kBoth, old.width + kBoth, {move(old.width, kLeft), move(old.height, kAbove)}};
      },
      [&](const Level& old, std::int64_t y, std::int64_t x) {
        const std::int64_t row = y - kAbove, column = x - kLeft;
        const bool inside = row >= 0 && column >= 0 && row < old.height && column < old.width;
        return inside ? old.start + row * old.width + column : kAdded;
      });
}

std::vector<Row> rows(const std::vector<std::string>& linear_inputs) {
  std::vector<Row> rows;
  const auto add = [&](std::string name, std::string description, Make make) {
    rows.push_back({{std::move(name), std::move(description)}, std::move(make)});
  };
  for (const Axis& axis : {kBatch, kQueries, kHeads, kChannels}) {
    add(fmt::format("split_{}", axis.name), fmt::format("{} in two calls", axis.name),
        [axis](const Source& source) { return split(source, axis); });
  }
  for (const Axis& axis : {kBatch, kQueries, kHeads, kChannels, kPoints}) {
    add(fmt::format("permuted_{}", axis.name), fmt::format("{} in another order", axis.name),
        [axis](const Source& source) { return permuted(source, axis); });
  }
  add("permuted_levels", "levels in another order", permuted_levels);
  add("chunked", "another im2col_step", chunked);
  for (const std::string& input : linear_inputs) {
    add("linear_in_" + input, fmt::format("{} as a sum of two tensors", input),
        [input](const Source& source) { return linear(source, input); });
    add("scaled_" + input, fmt::format("{} times -1/2", input),
        [input](const Source& source) { return scaled(source, input); });
  }
  add("transposed_maps", "rows and columns of every map exchanged", transposed);
  add("turned_maps", "every map turned by half a turn", turned);
  add("padded_maps", "zeros around every map, its points shifted by whole pixels", padded);
  return rows;
}

class OperatorRelations : public Relations {
 public:
  explicit OperatorRelations(const std::vector<std::string>& linear_inputs) : rows_(rows(linear_inputs)) {}

  std::vector<RelationKind> kinds() const override {
    std::vector<RelationKind> kinds;
    for (const Row& row : rows_) kinds.push_back(row.kind);
    return kinds;
  }

  RelatedCases related(const Case& c) const override {
    RelatedCases related;
    add_noise_line(c, related);
    const Source source{c, parse(c)};
    for (const Row& row : rows_) {
      Relation& relation = related.relations.emplace_back(row.make(source));
      relation.name = row.kind.name;
      // Loops over other extents may round coordinates otherwise, in their last elements for instance; not as
      // coarsely as the few bits of a 16-bit type, in which no coordinate needs to be computed.
      relation.rounds = relation.rounds || !is_sixteen_bits(source.problem.dtype);
    }
    return related;
  }

 private:
  std::vector<Row> rows_;
};

}  // namespace

const Relations& relations() {
  static const OperatorRelations instance({"value", "attn_weight"});
  return instance;
}

const Relations& backward_relations() {
  static const OperatorRelations instance({"value", "attn_weight", "grad_output"});
  return instance;
}

}  // namespace deformdiff::ms_deform_attn
