// What a worker says of an exported module before it is run.
#pragma once

#include "core/tensor.h"

#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// The block of the cases that a module is given: inputs in the order of its arguments, under any names, no
/// attributes, and as outputs whatever the module returns.
inline constexpr const char* kOpaqueBlock = "opaque";

/// An argument of the module's forward, without self.
struct ModuleInput {
  std::string name;
  std::string type;             ///< in TorchScript's words: "Tensor", "int", "Dict(str, Tensor)"
  bool tensor = false;          ///< a case gives it as the tensor of that position
  std::optional<Shape> traced;  ///< its shape when the module was traced, if the file has it
  friend bool operator==(const ModuleInput&, const ModuleInput&) = default;
};

/// A hint with its evidence; what the module is worth is known by running it.
struct AuditFinding {
  std::string kind;    ///< one of audit_kind
  std::string detail;  ///< a sentence
  std::string line;    ///< the graph's node, as TorchScript prints it; empty if there is none
  std::string scope;   ///< path of the submodule whose code holds the node; empty for the module itself
  friend bool operator==(const AuditFinding&, const AuditFinding&) = default;
};

struct ModuleDescription {
  std::vector<NamedTensor> parameters;  ///< by dotted name
  std::vector<std::string> unread;      ///< names of those that forward does not read
  std::vector<NamedTensor> buffers;     ///< and other tensors that are attributes
  std::vector<ModuleInput> inputs;      ///< in order
  /// One an output.N of a run, in order: where it lies in what forward returns, "", "[1]", "[0].masks".
  /// Empty if that is known only by running it.
  std::vector<std::string> outputs;
  std::string returns;    ///< the type of what forward returns
  bool training = false;  ///< the flag of the module
  bool scripted = false;  ///< has control flow: compiled from source, not traced
  std::vector<AuditFinding> audit;
  std::vector<std::string> notes;  ///< what could not be described, or matters only elsewhere
  friend bool operator==(const ModuleDescription&, const ModuleDescription&) = default;
};

namespace audit_kind {
inline constexpr const char* kOutputIgnoresInputs = "output_ignores_inputs";
inline constexpr const char* kLargeConstant = "large_constant";
inline constexpr const char* kBakedShape = "baked_shape";
inline constexpr const char* kBakedBatch = "baked_batch";
inline constexpr const char* kBakedDevice = "baked_device";
inline constexpr const char* kPythonOp = "python_op";
inline constexpr const char* kTrainingMode = "training_mode";
inline constexpr const char* kUnsupportedOperator = "unsupported_operator";
}  // namespace audit_kind

}  // namespace deformdiff
