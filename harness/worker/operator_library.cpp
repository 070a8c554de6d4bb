#include "worker/operator_library.h"

#include "subjects/cuda/device.h"
#include "subjects/function_subject.h"

#include <algorithm>
#include <deformdiff/ms_deform_attn.h>
#include <dlfcn.h>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::worker {
namespace {

/// What a namespace may register for one of the blocks.
struct Operation {
  const char* block;
  std::string_view suffix;  ///< of the operator's name, behind the namespace
  const char* schema;
  std::size_t tensors, results;
};

constexpr Operation kOperations[] = {
    {"ms_deform_attn", "::ms_deform_attn_forward", kMsDeformAttnForward, 5, 1},
    {"ms_deform_attn_backward", "::ms_deform_attn_backward", kMsDeformAttnBackward, 6, 3}};

using Operators = std::map<std::string, c10::OperatorHandle>;  ///< by block

std::set<std::string> registered_operators() {
  std::set<std::string> names;
  for (const c10::OperatorName& name : c10::Dispatcher::singleton().getAllOpNames())
    names.insert(toString(name));
  return names;
}

bool is_tensor(const c10::Argument& argument) {
  return argument.type()->kind() == c10::TypeKind::TensorType;
}

/// Tensors, then im2col_step; tensors again.
bool fits(const c10::FunctionSchema& schema, const Operation& operation) {
  const auto& arguments = schema.arguments();
  const auto& returns = schema.returns();
  if (arguments.size() != operation.tensors + 1 || returns.size() != operation.results) return false;
  const auto step = arguments.back().type()->kind();
  return std::all_of(arguments.begin(), arguments.end() - 1, is_tensor) &&
         std::all_of(returns.begin(), returns.end(), is_tensor) &&
         (step == c10::TypeKind::IntType || step == c10::TypeKind::SymIntType);
}

std::unique_ptr<Subject> make_subject(std::string name, std::string device, Operators operators) {
  SubjectInfo info;
  info.name = std::move(name);
  info.device = std::move(device);
  for (const auto& [block, handle] : operators) info.blocks.insert(block);
  if (info.device == "cuda") info.not_run = why_no_cuda_device();
  return make_block_subject(std::move(info), [operators = std::move(operators)](const Call& call) {
    torch::jit::Stack stack(call.inputs.begin(), call.inputs.end());
    stack.emplace_back(call.integer("im2col_step"));
    operators.at(call.block).callBoxed(stack);
    std::vector<at::Tensor> results;
    for (const c10::IValue& result : stack) {
      TORCH_CHECK(result.isTensor(), "the operator left a ", result.tagKind(), ", no tensor");
      results.push_back(result.toTensor());
    }
    return results;
  });
}

/// Against another LibTorch, or without it, a library does not load.
constexpr const char* kHowToCompile =
    "wanted is a shared library compiled against deformdiff's LibTorch ('deformdiff --version'; T is its "
    "folder): g++ -std=c++17 -O2 -shared -fPIC mine.cpp -o libmine.so -I$T/include "
    "-I$T/include/torch/csrc/api/include -L$T/lib -ltorch_cpu -lc10";

/// What the library registers instead of operators in namespace `space`, and what to do about it. `before`
/// was registered without it.
std::string why_not_found(const std::string& space, const std::set<std::string>& before) {
  std::vector<std::string> added;
  std::set<std::string> addresses;
  for (const std::string& each : registered_operators()) {
    if (before.contains(each)) continue;
    added.push_back(each);
    for (const Operation& operation : kOperations) {
      if (!each.ends_with(operation.suffix)) continue;
      addresses.insert(
          fmt::format("FILE.so#{}::ms_deform_attn", each.substr(0, each.size() - operation.suffix.size())));
    }
  }
  const std::string fix =
      addresses.empty()
          ? fmt::format("TORCH_LIBRARY({}, m) in its source must m.def(\"{}\")", space, kMsDeformAttnForward)
          : fmt::format("name it {}", fmt::join(addresses, " or "));
  return fmt::format("it registers {}: {}",
                     added.empty() ? "no operators" : fmt::format("{}", fmt::join(added, ", ")), fix);
}

/// Those of namespace `space`, or what is wrong with one of them. None is a possible answer.
std::variant<Operators, std::string> find_operators(const std::string& space) {
  Operators operators;
  for (const Operation& operation : kOperations) {
    const auto found = c10::Dispatcher::singleton().findSchema({space + std::string(operation.suffix), ""});
    if (!found) continue;
    if (!fits(found->schema(), operation)) {
      return fmt::format("the library registers {}; {}::{} is wanted", toString(found->schema()), space,
                         operation.schema);
    }
    operators.emplace(operation.block, *found);
  }
  return operators;
}

}  // namespace

std::variant<SubjectList, std::string> load_operators(const std::string& address, const std::string& device) {
  const std::size_t hash = address.rfind('#');
  if (hash == std::string::npos || hash == 0 || hash + 1 == address.size()) {
    return fmt::format("{}: an address FILE.so#namespace wanted", address);
  }
  const std::string file = address.substr(0, hash);
  const std::string space = address.substr(hash + 1);
  const std::set<std::string> before = registered_operators();
  // With a slash: the loader would look for a bare name in the system's folders.
  const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    return fmt::format("{}: cannot be loaded: {}; {}", file, ::dlerror(), kHowToCompile);
  }
  const auto found = find_operators(space);
  if (const auto* wrong = std::get_if<std::string>(&found)) return fmt::format("{}: {}", file, *wrong);
  const Operators& operators = std::get<Operators>(found);
  if (operators.empty()) {
    return fmt::format("{}: the library registers no {}::ms_deform_attn_forward and no _backward; {}", file,
                       space, why_not_found(space, before));
  }
  SubjectList subjects;
  subjects.push_back(make_subject(address, device, operators));
  return subjects;
}

}  // namespace deformdiff::worker
