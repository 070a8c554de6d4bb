// An exported module as an implementation of its block, with the parameters that it holds, so that saved
// cases of it are replayed, explained and shrunk as any other.
#pragma once

#include "check/checked_model.h"
#include "check/request.h"
#include "engine/findings.h"
#include "engine/subject.h"

#include <string>
#include <string_view>

namespace deformdiff {

/// torchscript:FILE.pt?block=BLOCK&layout=LAYOUT&attributes=NAME:NUMBER,...&params=FILE&input_order=A,B&
/// output_order=A,B&mode=MODE&DECLARATION. The mode is "interpreter", the recorded graph, or what LibTorch
/// makes of it: "executor", "frozen", "inference".
constexpr std::string_view kModuleScheme = "torchscript:";

struct ModuleAddress {
  CheckRequest request;
  std::string mode;  ///< one of module_mode
};

/// Throws InputError for an address that is none, and for a file that is not there.
ModuleAddress parse_module_address(const std::string& address, int threads);

/// A case is given to the module if the parameters in it are the module's. Words in front of the worker's
/// command line go to the spec's `command`. Throws InputError for an address that is none, and for a file
/// that is not there.
SubjectSpec module_subject(const std::string& address, int threads);

/// The finding's case, from any folder; `mode` is one of module_mode.
SavedCase module_finding(const CheckRequest& request, const CheckedModel& model, const std::string& mode,
                         const Finding& finding, const Case& c, const Comparison& comparison);

}  // namespace deformdiff
