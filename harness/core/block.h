// The operation under test: what its inputs and outputs are. Not an implementation.
#pragma once

#include "core/case.h"
#include "core/precision.h"
#include "core/stage.h"

#include <map>
#include <string>
#include <vector>

namespace deformdiff {

struct OutputSpec {
  std::string name;
  DType dtype;
  Shape shape;
  std::string stage;  ///< whose value it is
};

class Block {
 public:
  virtual ~Block() = default;

  virtual std::string name() const = 0;

  /// Names of the inputs, in the order of an implementation's arguments; of all that there may be.
  virtual std::vector<std::string> inputs() const = 0;

  /// Names of the outputs, in the order in which they are returned.
  virtual std::vector<std::string> output_names() const = 0;

  /// Attributes and what they are when a recorded file does not say.
  virtual Attributes default_attributes() const = 0;

  /// Throws InputError with the offending input or attribute, what was found and what is wanted.
  virtual void validate(const Case& c) const = 0;

  /// What every implementation must return for a valid case.
  virtual std::vector<OutputSpec> outputs(const Case& c) const = 0;

  /// The stages from the inputs of a valid case to its outputs, in an order in which each can be computed.
  /// The operator is a block of one.
  virtual std::vector<Stage> stages(const Case& c) const = 0;

  /// The floating dtype that the case computes in; of tensors of 16 bits beside float32 ones, the former's.
  virtual DType compute_dtype(const Case& c) const = 0;

  /// The case computing in another floating dtype, its numbers widened exactly or rounded to nearest.
  virtual Case converted(Case c, DType dtype) const;

  /// The named sizes that a `supports` declaration may speak of: N, Q, M, D, L, P, S, ...
  virtual std::map<std::string, std::int64_t> dimensions(const Case& c) const = 0;

  /// Why a subject with this contract cannot be given the case; empty if it can.
  virtual std::string outside_contract(const Case& c, const Contract& contract) const = 0;

  /// Bytes that a straightforward implementation that computes so, and the judge of its result, need beyond
  /// the case itself. One that samples as grid_sample does holds the samples of all points at once; one that
  /// does not say how it samples is taken to hold none.
  virtual std::int64_t working_memory(const Case& c, const Precision& precision) const = 0;
};

}  // namespace deformdiff
