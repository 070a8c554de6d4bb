// What an address declares of an implementation: "?key=value&..." behind torchop:FILE.so#ns.
#pragma once

#include "core/subject_info.h"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// Only what was written is set; the rest keeps what the implementation says of itself, or the default.
struct Declaration {
  std::optional<std::string> device;
  std::optional<std::set<DType>> dtypes;
  std::optional<std::string> supports;
  std::optional<Arithmetic> arithmetic;
  std::optional<Coordinates> coordinates;
  std::optional<bool> flush_to_zero;
  std::optional<Deterministic> deterministic;
  std::optional<Im2colStep> im2col_step;
  std::optional<NonfiniteLocation> nonfinite_location;
  std::optional<NonfiniteWeightOutside> nonfinite_weight_outside;
  std::optional<NonfiniteValueAtZeroWeight> nonfinite_value_at_zero_weight;
  std::optional<LevelStartIndex> level_start_index;
  std::optional<EdgeGradient> edge_gradient;
};

/// `text` is what stands behind the '?', possibly empty. Throws InputError naming the key or value and
/// listing those allowed.
Declaration parse_declaration(std::string_view text);

void apply(const Declaration& declaration, SubjectInfo& info);

/// For `list addresses`: a key and its values, the default first.
struct DeclarationKey {
  std::string key;
  std::string values;
  std::string meaning;
};
std::vector<DeclarationKey> declaration_keys();

}  // namespace deformdiff
