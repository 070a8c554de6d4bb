// What a block says of itself: tensors described by named extents, stages, and its place in a model. What the
// rest of the program has to know of a block follows from this.
#pragma once

#include "core/block.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace deformdiff {

class StageBuilder;

/// The value of every extent name. What a name stands for: extents.h.
using Extents = std::map<std::string, std::int64_t>;

/// By name.
std::map<std::string, Shape> shapes_of(const std::vector<NamedTensor>& tensors);

inline constexpr std::string_view kParameterPrefix = "param.";

/// Whether a tensor of this name is a parameter.
constexpr bool is_parameter(std::string_view name) {
  return name.starts_with(kParameterPrefix);
}

/// One tensor that a block's case holds.
struct TensorSpec {
  enum class Kind : std::uint8_t { kFloating, kInt64, kBool };
  /// What its numbers mean, where it matters for making other cases of the same block.
  enum class Role : std::uint8_t {
    kValues,
    kSizes,        ///< height and width of maps
    kLevelStarts,  ///< the running sum of the maps' pixels
    kFractions     ///< of a map, in [0, 1]
  };
  std::string name;  ///< "hidden_states", "param.fc1.weight"
  Kind kind;
  std::string axes;  ///< "B S M*D": each axis a product of extents by name or number; empty for a scalar
  Role role = Role::kValues;
  bool optional = false;

  bool is_parameter() const { return deformdiff::is_parameter(name); }
};

/// The part of a model that a block is, or is of: a configuration means it by "norm", "batch_first" and
/// "mask_true_means".
enum class ModelPart : std::uint8_t { kEncoder, kDecoder, kHead, kPositions, kNone };

/// What is the same for all cases of a block.
struct BlockConstants {
  std::string name;
  std::string purpose;               ///< one line for people, as `list blocks` prints it
  std::vector<std::string> outputs;  ///< names, in the order in which they are returned
  ModelPart part = ModelPart::kNone;
  Attributes attributes = {};                       ///< and what they are when a recorded file does not say
  std::map<std::string, std::string> extents = {};  ///< that attributes fix: {"M", "num_heads"}, ...
};

/// A block whose inputs, parameters and outputs are all described by TensorSpecs and whose work is done by
/// stages. Validation, names and extents follow from the descriptions; a block is left to say what they
/// cannot.
///
/// The floating tensors of a case have one dtype, or some are float32 and the others of one 16-bit type.
/// Batch (B) and queries (Q) may be empty, no other extent.
class BlockDefinition : public Block {
 public:
  explicit BlockDefinition(BlockConstants constants) : constants_(std::move(constants)) {}

  std::string name() const final { return constants_.name; }
  const std::string& purpose() const { return constants_.purpose; }
  /// Of a case with the default attributes.
  std::vector<std::string> output_names() const final { return constants_.outputs; }
  Attributes default_attributes() const final { return constants_.attributes; }
  const std::map<std::string, std::string>& extent_attributes() const { return constants_.extents; }
  ModelPart part() const { return constants_.part; }

  /// Every tensor that a case with these attributes has or may have, inputs first, then parameters.
  virtual std::vector<TensorSpec> tensors(const Attributes& attributes) const = 0;

  /// Whether tensors of other sizes make a valid case: not those of the operator, whose levels may leave gaps
  /// and come in any order.
  virtual bool is_resizable() const { return true; }

  /// Names of the inputs, without parameters, of a case with these attributes.
  std::vector<std::string> input_names(const Attributes& attributes) const;

  /// Names of the outputs of a case with these attributes.
  virtual std::vector<std::string> output_names_of(const Attributes&) const { return output_names(); }

  /// The value of every extent name that is known, or that attributes and the shapes of tensors, by name,
  /// determine.
  Extents extents_of(const Attributes& attributes, const std::map<std::string, Shape>& shapes,
                     Extents known = {}) const;

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
  std::int64_t working_memory(const Case& c, const Precision& precision) const override;

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

  BlockConstants constants_;
};

}  // namespace deformdiff
