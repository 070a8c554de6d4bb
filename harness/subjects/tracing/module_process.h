// Another process that loads saved modules and runs them: it knows of the exporting one only what is in the
// file.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

namespace deformdiff::worker {

/// Saved bytes of a module, loaded there and run as they are on the inputs: what the module returns. The
/// process is started by the first call and kept. Throws c10::Error with what the module threw there, or
/// saying that the process ended.
c10::IValue run_in_other_process(const std::string& saved_module, const std::vector<c10::IValue>& inputs);

/// The same, of the gradients() of the module's first output.
std::vector<at::Tensor> gradients_in_other_process(const std::string& saved_module,
                                                   const std::vector<at::Tensor>& inputs,
                                                   const at::Tensor& grad_output);

/// The other process's side: answers on standard output until standard input ends.
void serve_saved_modules();

/// The option that makes this program's worker such a process.
inline constexpr const char* kServeSavedModules = "--serve-saved-modules";

}  // namespace deformdiff::worker
