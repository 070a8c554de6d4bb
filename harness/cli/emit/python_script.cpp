#include "cli/emit/python_script.h"

#include "check/exported_module.h"
#include "cli/emit/python_formulas.h"
#include "cli/emit/python_parts.h"
#include "cli/emit/python_text.h"
#include "core/tensor.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

constexpr int kSeconds = 60;  ///< that a call which is said to hang is waited for

/// Every line as one of comments.
std::string commented(std::string_view text) {
  std::string lines = "# ";
  for (const char c : text) {
    if (c == '\n') {
      lines += "\n# ";
    } else if (c != '\r') {
      lines += c;
    }
  }
  return lines + "\n";
}

bool is_called(const Evidence& evidence) {
  return !evidence.of_values;
}

bool uses_torch(const Evidence& evidence) {
  return is_called(evidence) || evidence.of_values->torch;
}

/// Dies or hangs.
bool wants_a_process(const Evidence& evidence) {
  const Verdict verdict = evidence.comparison.verdict;
  return is_called(evidence) && (verdict == Verdict::kCrashed || verdict == Verdict::kTimedOut);
}

std::string header(const Evidence& evidence) {
  std::vector<std::string> versions;
  for (const auto& [what, which] : evidence.environment)
    versions.push_back(fmt::format("{} {}", what, which));
  std::string usage = "python3 THIS";
  if (evidence.of_operator) usage += " [LIBRARY.so]";
  if (evidence.of_module) usage += " [MODEL.pt]";
  std::string text = "#!/usr/bin/env python3\n" + commented(summary_of(evidence)) + "#\n";
  text += commented(fmt::format("Needs Python 3.8 and {}. Found with: {}.",
                                uses_torch(evidence) ? "PyTorch" : "numpy", fmt::join(versions, ", ")));
  text += commented(fmt::format("Usage: {}", usage));
  return text + commented("Exit code: 1 the failure shows, 0 it does not, 2 it could not be run.");
}

std::string imports(const Evidence& evidence) {
  std::string text = "import array\nimport base64\nimport math\n";
  if (wants_a_process(evidence)) text += "import os\n";
  text += "import platform\n";
  if (wants_a_process(evidence)) text += "import signal\n";
  text +=
      "import sys\nimport traceback\nfrom fractions import Fraction\nfrom math import inf, isnan, nan\n\n";
  const std::string_view wanted = uses_torch(evidence)
                                      ? "    import torch\n    import torch.nn.functional as F\n"
                                      : "    import numpy as np\n";
  return text +
         fmt::format("try:\n{}except ImportError as error:\n    print(error)\n    sys.exit(2)\n", wanted);
}

std::string expected_text(const Claim& claim) {
  const OutputReference& may_be = claim.may_be;
  std::string text =
      fmt::format("    Expected({}, '{}', {}, {}, {}", python_string(claim.name), name_of(may_be.dtype),
                  python_tuple(may_be.shape), python_numbers(may_be.value), python_numbers(may_be.bound));
  if (!may_be.value_low.empty()) text += ", low=" + python_numbers(may_be.value_low);
  if (!may_be.admits.empty()) {
    text += ", kinds=" + python_numbers({may_be.admits.begin(), may_be.admits.end()});
  }
  if (!may_be.alternatives.empty()) {
    std::vector<std::string> others;
    for (const Alternative& other : may_be.alternatives) {
      others.push_back(fmt::format("({}, {}, {}, {})", other.element, python_number(other.value),
                                   python_number(other.value_low), python_number(other.bound)));
    }
    text += fmt::format(", others=[{}]", fmt::join(others, ", "));
  }
  return text + "),\n";
}

std::string expectations(const Evidence& evidence) {
  const bool estimated = std::ranges::any_of(evidence.claims, &Claim::estimated);
  std::string text = "\n\n";
  text += commented(
      estimated ? "Estimated: results of the same formulas with every operation rounded at random, and a\n"
                  "margin beside their spread. A correct evaluation stays inside."
                : "From a rounding error analysis: it covers every order of summation, with and without\n"
                  "fused multiply-adds, in this precision.");
  text += "EXPECTED = [\n";
  for (const Claim& claim : evidence.claims) text += expected_text(claim);
  return text + "]\n";
}

/// make_calls(): the arguments of each call, in order, fresh ones each time.
std::string calls_text(const std::vector<std::vector<NamedTensor>>& calls) {
  std::string text = "\n\ndef make_calls():\n    return [\n";
  for (const auto& call : calls) {
    text += "        [\n";
    for (const NamedTensor& argument : call) {
      text += fmt::format("            {},  # {}\n", python_tensor(argument.tensor), argument.name);
    }
    text += "        ],\n";
  }
  return text + "    ]\n";
}

std::string operator_text(const Evidence& evidence) {
  const OperatorEvidence& of = *evidence.of_operator;
  std::vector<std::vector<NamedTensor>> calls;
  for (const Case& earlier : evidence.saved.earlier_calls) calls.push_back(earlier.inputs);
  calls.push_back(evidence.saved.problem.inputs);
  const std::size_t colons = of.name.find("::");
  return fmt::format(R"(

def load():
    torch.ops.load_library(sys.argv[1] if len(sys.argv) > 1 else {})


def call(inputs):
    result = torch.ops.{}.{}(*inputs, {})
    return [result] if isinstance(result, torch.Tensor) else list(result)
)",
                     python_string(of.library.string()), of.name.substr(0, colons),
                     of.name.substr(colons + 2), evidence.saved.problem.attribute("im2col_step")) +
         calls_text(calls);
}

/// How Python gets what the worker runs.
std::string module_call_text(const std::string& mode) {
  if (mode == module_mode::kInterpreter) {
    return "    with torch.no_grad(), torch.jit.optimized_execution(False):\n"
           "        return tensors(MODULE(*inputs))\n";
  }
  if (mode == module_mode::kExecutor) {
    return "    with torch.no_grad():\n"
           "        for _ in range(2):  # LibTorch's executor optimises what it saw\n"
           "            MODULE(*inputs)\n"
           "        return tensors(MODULE(*inputs))\n";
  }
  return "    with torch.no_grad():\n        return tensors(MODULE(*inputs))\n";
}

std::string_view module_load_text(const std::string& mode) {
  if (mode == module_mode::kFrozen) return "torch.jit.freeze(module.eval())";
  if (mode == module_mode::kInference) return "torch.jit.optimize_for_inference(module.eval())";
  return "module";
}

std::string module_text(const ModuleCall& of) {
  return fmt::format(R"(

def load():
    global MODULE
    module = torch.jit.load(sys.argv[1] if len(sys.argv) > 1 else {})
    MODULE = {}


def tensors(result):
    if isinstance(result, torch.Tensor):
        return [result]
    parts = result.values() if isinstance(result, dict) else result if isinstance(result, (list, tuple)) else []
    return [tensor for part in parts for tensor in tensors(part)]


def call(inputs):
{})",
                     python_string(of.file.string()), module_load_text(of.mode), module_call_text(of.mode)) +
         calls_text({of.arguments});
}

std::string called_main(const Evidence& evidence) {
  const bool unwritten = evidence.comparison.verdict == Verdict::kUnwrittenOutput;
  std::string text =
      fmt::format(R"(

def main():
    print(f"PyTorch {{torch.__version__}}, Python {{platform.python_version()}}, {{platform.machine()}}")
{}    return any({}() for _ in range({}))
)",
                  unwritten ? "    # New memory holds NaN until it is written.\n"
                              "    torch.use_deterministic_algorithms(True, warn_only=True)\n"
                              "    torch.utils.deterministic.fill_uninitialized_memory = True\n"
                            : "",
                  wants_a_process(evidence) ? "shows_in_a_process_of_its_own" : "shows", evidence.runs);
  return text;
}

std::string called_script(const Evidence& evidence) {
  const bool twice = evidence.comparison.verdict == Verdict::kNondeterministic;
  std::string text = fmt::format("\nDEVICE = {}\nTWICE = {}\n", python_string(evidence.info.device),
                                 twice ? "True" : "False");
  if (wants_a_process(evidence)) text += fmt::format("SECONDS = {}\n", kSeconds);
  text += fmt::format("{}{}{}{}", kExpectedClass, kTorchTensor, kCalled,
                      wants_a_process(evidence) ? kInChild : std::string_view());
  text += evidence.of_operator ? operator_text(evidence) : module_text(*evidence.of_module);
  return text + expectations(evidence) + called_main(evidence);
}

std::string values_script(const Evidence& evidence) {
  const ValueEvidence& of = *evidence.of_values;
  const auto tensor_text = [&](const Tensor& tensor) {
    return of.torch ? python_tensor(tensor) : python_wide_tensor(tensor);
  };
  std::string text = of.torch ? "\nDEVICE = 'cpu'\n" : "";
  text += fmt::format("{}{}\n\n", kExpectedClass, of.torch ? kTorchTensor : kNumpyTensor);
  text += commented(
      fmt::format("What {} was computed from, by the operation {}.", of.stage.name, of.stage.operation));
  text += "OPERANDS = {\n";
  for (const NamedTensor& operand : of.operands.inputs) {
    text += fmt::format("    {}: {},\n", python_string(operand.name), tensor_text(operand.tensor));
  }
  text += "}\n\n" + commented("What was computed.") + fmt::format("GOT = {}\n", tensor_text(of.got));
  text += expectations(evidence);
  text += "\n\n" + (of.torch ? torch_formula() : numpy_formula(of.stage));
  text += fmt::format(R"(

def main():
    print(f"{0} {{{1}.__version__}}, Python {{platform.python_version()}}, {{platform.machine()}}")
    beside = values_of(plain(OPERANDS))

    def remark(i):
        expected = "as expected" if EXPECTED[0].excess(i, beside[i]) <= 1 else "not as expected"
        print(f"  {2} {{beside[i]!r}}, {{expected}}")

    return EXPECTED[0].check(values_of(GOT), remark)
)",
                      of.torch ? "PyTorch" : "numpy", of.torch ? "torch" : "np",
                      of.torch ? "plain PyTorch, here and now:" : "the formula in float64, here and now:");
  return text;
}

}  // namespace

std::string summary_of(const Evidence& evidence) {
  const std::string& block = evidence.saved.problem.block;
  const std::string what = block == "ms_deform_attn" ? "multi-scale deformable attention"
                           : block == "ms_deform_attn_backward"
                               ? "gradients of multi-scale deformable attention"
                               : block;
  return fmt::format("{}, {}: {}: {}", evidence.implementation, what, name_of(evidence.comparison.verdict),
                     evidence.comparison.reason);
}

std::string python_script(const Evidence& evidence) {
  return header(evidence) + imports(evidence) +
         (is_called(evidence) ? called_script(evidence) : values_script(evidence)) + std::string(kEnd);
}

}  // namespace deformdiff::cli
