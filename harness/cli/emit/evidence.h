// What a script for others shows of a failure.
#pragma once

#include "check/module_call.h"
#include "core/case_file.h"
#include "core/reference.h"
#include "core/stage.h"
#include "core/subject_info.h"
#include "engine/compare.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff::cli {

/// A tensor that a script looks at, and what it may be.
struct Claim {
  std::string name;  ///< in the script: "output", "results[0]", a stage
  OutputReference may_be;
  bool estimated = false;
};

/// A library of operators, which the script loads and calls.
struct OperatorEvidence {
  std::filesystem::path library;
  std::string name;  ///< "mine::ms_deform_attn_forward"
};

/// Numbers that somebody computed, and those that they were computed from, where there is nothing to call.
struct ValueEvidence {
  Tensor got;
  Stage stage;
  Case operands;       ///< of the stage's operation
  bool torch = false;  ///< PyTorch computes the operation beside them, and not numpy
};

struct Evidence {
  std::string implementation;  ///< as a maintainer would call it: a file, an operator's name, ours
  SavedCase saved;
  SubjectInfo info;
  std::map<std::string, std::string> environment;
  Comparison comparison;  ///< of a run that failed
  int runs = 1;           ///< among which the failure shows
  std::vector<Claim> claims;

  // One of these.
  std::optional<OperatorEvidence> of_operator;
  std::optional<ModuleCall> of_module;
  std::optional<ValueEvidence> of_values;
};

}  // namespace deformdiff::cli
