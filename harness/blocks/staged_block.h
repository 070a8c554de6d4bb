// What the deep blocks have in common: tensors described by named extents, and stages.
#pragma once

#include "core/block.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deformdiff {

/// One tensor that a block's case holds.
struct TensorSpec {
  enum class Kind : std::uint8_t { kFloating, kInt64, kBool };
  std::string name;  ///< "hidden_states", "param.fc1.weight"
  Kind kind;
  std::string axes;  ///< "B S M*D": each axis a product of extents by name or number; empty for a scalar
  bool optional = false;
};

/// A block whose inputs, parameters and outputs are all described by TensorSpecs and whose work is done by
/// stages. Validation, names and extents follow from the descriptions.
class StagedBlock : public Block {
 public:
  /// Every tensor that a case with these attributes has or may have, inputs first, then parameters.
  virtual std::vector<TensorSpec> tensors(const Attributes& attributes) const = 0;

  /// Extents that attributes fix: {"M", "num_heads"}, ...
  virtual std::map<std::string, std::string> extent_attributes() const = 0;

  /// The value of every extent name, from attributes and the tensors' shapes. Throws InputError naming the
  /// tensor, its shape and the one wanted.
  std::map<std::string, std::int64_t> dimensions(const Case& c) const override;

  std::vector<std::string> inputs() const override;
  void validate(const Case& c) const override;
  DType compute_dtype(const Case& c) const override;
};

}  // namespace deformdiff
