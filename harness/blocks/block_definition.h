// What the deep blocks have in common: tensors described by named extents, and stages.
#pragma once

#include "core/block.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deformdiff {

class StageBuilder;

/// The value of every extent name.
using Extents = std::map<std::string, std::int64_t>;

/// One tensor that a block's case holds.
struct TensorSpec {
  enum class Kind : std::uint8_t { kFloating, kInt64, kBool };
  std::string name;  ///< "hidden_states", "param.fc1.weight"
  Kind kind;
  std::string axes;  ///< "B S M*D": each axis a product of extents by name or number; empty for a scalar
  bool optional = false;
};

/// A block whose inputs, parameters and outputs are all described by TensorSpecs and whose work is done by
/// stages. Validation, names and extents follow from the descriptions; a block is left to say what they
/// cannot.
///
/// The floating tensors of a case are all float32 or all float64. Batch (B) and queries (Q) may be empty, no
/// other extent.
class BlockDefinition : public Block {
 public:
  /// Every tensor that a case with these attributes has or may have, inputs first, then parameters.
  virtual std::vector<TensorSpec> tensors(const Attributes& attributes) const = 0;

  /// Extents that attributes fix: {"M", "num_heads"}, ...
  virtual std::map<std::string, std::string> extent_attributes() const = 0;

  /// The value of every extent name, from attributes and the tensors' shapes; those that complete() adds, and
  /// N, the batch under the name that the operator's block gives it. Throws InputError naming the tensor, its
  /// shape and the one wanted.
  Extents dimensions(const Case& c) const override;

  /// Without parameters, of a case with the default attributes.
  std::vector<std::string> inputs() const override;

  void validate(const Case& c) const override;
  DType compute_dtype(const Case& c) const override;
  std::vector<OutputSpec> outputs(const Case& c) const override;
  std::vector<Stage> stages(const Case& c) const override;

  /// Dtype and shape of every stage's value, in the order of stages(); name and stage are the stage's.
  std::vector<OutputSpec> stage_values(const Case& c) const;

  std::string outside_contract(const Case& c, const Contract& contract) const override;
  std::int64_t working_memory(const Case& c) const override;

 protected:
  /// Refuses what extents cannot say (sizes that are values of tensors, divisibility) and adds extents that
  /// follow from others. The case has the tensors that it should, of the right shapes.
  virtual void complete(const Case&, Extents&) const {}

  /// The stages and outputs of a valid case.
  virtual void build(StageBuilder& b) const = 0;

  /// Throws InputError: the block, the input or attribute, what was found and what is wanted.
  [[noreturn]] void refuse(const std::string& field, const std::string& what) const;

 private:
  StageBuilder built(const Case& c) const;
};

}  // namespace deformdiff
