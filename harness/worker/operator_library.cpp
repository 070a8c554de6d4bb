#include "worker/operator_library.h"

#include "subjects/cuda/device.h"
#include "subjects/function_subject.h"

#include <deformdiff/ms_deform_attn.h>
#include <dlfcn.h>
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

constexpr std::string_view kOperation = "::ms_deform_attn_forward";

std::set<std::string> registered_operators() {
  std::set<std::string> names;
  for (const c10::OperatorName& name : c10::Dispatcher::singleton().getAllOpNames())
    names.insert(toString(name));
  return names;
}

bool is_tensor(const c10::Argument& argument) {
  return argument.type()->kind() == c10::TypeKind::TensorType;
}

bool fits(const c10::FunctionSchema& schema) {
  const auto& arguments = schema.arguments();
  if (arguments.size() != 6 || schema.returns().size() != 1 || !is_tensor(schema.returns()[0])) return false;
  for (std::size_t i = 0; i < 5; ++i) {
    if (!is_tensor(arguments[i])) return false;
  }
  const auto step = arguments[5].type()->kind();
  return step == c10::TypeKind::IntType || step == c10::TypeKind::SymIntType;
}

std::unique_ptr<Subject> make_subject(std::string name, std::string device, c10::OperatorHandle forward) {
  SubjectInfo info;
  info.name = std::move(name);
  info.device = std::move(device);
  info.blocks = {"ms_deform_attn"};
  if (info.device == "cuda") info.not_run = why_no_cuda_device();
  return make_block_subject(std::move(info), [forward = std::move(forward)](const Call& call) {
    torch::jit::Stack stack(call.inputs.begin(), call.inputs.end());
    stack.emplace_back(call.integer("im2col_step"));
    forward.callBoxed(stack);
    TORCH_CHECK(stack.size() == 1 && stack[0].isTensor(), "the operator left ", stack.size(),
                " values, no tensor");
    return std::vector<at::Tensor>{stack[0].toTensor()};
  });
}

/// Against another LibTorch, or without it, a library does not load.
constexpr const char* kHowToCompile =
    "wanted is a shared library compiled against deformdiff's LibTorch ('deformdiff --version'; T is its "
    "folder): g++ -std=c++17 -O2 -shared -fPIC mine.cpp -o libmine.so -I$T/include "
    "-I$T/include/torch/csrc/api/include -L$T/lib -ltorch_cpu -lc10";

/// What the library registers instead of `name`, and what to do about it. `before` was registered without it.
std::string why_not_found(const std::string& name, const std::set<std::string>& before) {
  std::vector<std::string> added;
  std::string fix;
  for (const std::string& each : registered_operators()) {
    if (before.contains(each)) continue;
    added.push_back(each);
    if (!each.ends_with(kOperation)) continue;
    const std::string space = each.substr(0, each.size() - kOperation.size());
    fix += fmt::format("{}FILE.so#{}::ms_deform_attn", fix.empty() ? "name it " : " or ", space);
  }
  if (fix.empty()) {
    fix = fmt::format("TORCH_LIBRARY({}, m) in its source must m.def(\"{}\")", name.substr(0, name.find(':')),
                      kMsDeformAttnForward);
  }
  return fmt::format("it registers {}: {}",
                     added.empty() ? "no operators" : fmt::format("{}", fmt::join(added, ", ")), fix);
}

}  // namespace

std::variant<SubjectList, std::string> load_operators(const std::string& address, const std::string& device) {
  const std::size_t hash = address.rfind('#');
  if (hash == std::string::npos || hash == 0 || hash + 1 == address.size()) {
    return fmt::format("{}: an address FILE.so#namespace wanted", address);
  }
  const std::string file = address.substr(0, hash);
  const std::string name = address.substr(hash + 1) + std::string(kOperation);
  const std::set<std::string> before = registered_operators();
  // With a slash: the loader would look for a bare name in the system's folders.
  const std::string path = file.find('/') == std::string::npos ? "./" + file : file;
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    return fmt::format("{}: cannot be loaded: {}; {}", file, ::dlerror(), kHowToCompile);
  }
  const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
  if (!found) {
    return fmt::format("{}: the library registers no {}; {}", file, name, why_not_found(name, before));
  }
  if (!fits(found->schema())) {
    return fmt::format("{}: the library registers {}; {}::{} is wanted", file, toString(found->schema()),
                       address.substr(hash + 1), kMsDeformAttnForward);
  }
  SubjectList subjects;
  subjects.push_back(make_subject(address, device, *found));
  return subjects;
}

}  // namespace deformdiff::worker
