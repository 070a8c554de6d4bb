#include "worker/module/float64.h"

#include <unordered_set>
#include <utility>
#include <vector>

#include <ATen/core/function_schema.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/DefaultDtype.h>
#include <torch/csrc/jit/ir/constants.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Block;
using torch::jit::Node;
namespace prim = torch::jit::prim;

bool is_narrow(at::ScalarType type) {
  return type == at::kFloat || type == at::kHalf || type == at::kBFloat16;
}

at::Tensor wide(const at::Tensor& tensor) {
  return tensor.defined() && is_narrow(tensor.scalar_type()) ? tensor.detach().to(at::kDouble) : tensor;
}

/// Objects are changed where they are, everything else is returned anew.
c10::IValue wide(const c10::IValue& value, std::unordered_set<const void*>& seen) {
  if (value.isTensor()) return wide(value.toTensor());
  if (value.isTensorList()) {
    c10::List<at::Tensor> list;
    for (const at::Tensor& each : value.toTensorVector()) list.push_back(wide(each));
    return list;
  }
  if (value.isTuple()) {
    std::vector<c10::IValue> elements;
    for (const c10::IValue& each : value.toTupleRef().elements()) elements.push_back(wide(each, seen));
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (value.isObject() && seen.insert(value.toObject().get()).second) {
    const auto object = value.toObject();
    for (std::size_t slot = 0; slot < object->slots().size(); ++slot) {
      object->setSlot(slot, wide(object->getSlot(slot), seen));
    }
  }
  return value;
}

void widen_constant(Node* node) {
  const auto value = torch::jit::toIValue(node->output());
  if (!value || !(value->isTensor() || value->isTensorList() || value->isTuple())) return;
  if (value->isTensor() && (!value->toTensor().defined() || !is_narrow(value->toTensor().scalar_type()))) {
    return;
  }
  const torch::jit::WithInsertPoint here(node);
  std::unordered_set<const void*> seen;
  node->output()->replaceAllUsesWith(node->owningGraph()->insertConstant(wide(*value, seen)));
}

/// The arguments called dtype, of whatever operator.
void widen_dtypes(Node* node) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr) return;
  const auto& arguments = schema->arguments();
  for (std::size_t i = 0; i < arguments.size() && i < node->inputs().size(); ++i) {
    if (arguments[i].name() != "dtype") continue;
    const auto value = torch::jit::toIValue(node->input(i));
    if (!value || !value->isInt() || !is_narrow(static_cast<at::ScalarType>(value->toInt()))) continue;
    const torch::jit::WithInsertPoint here(node);
    node->replaceInput(i, node->owningGraph()->insertConstant(static_cast<std::int64_t>(at::kDouble)));
  }
}

void widen(Block* block) {
  for (Node* node = *block->nodes().begin(); node != block->return_node(); node = node->next()) {
    if (node->kind() == prim::Constant) widen_constant(node);
    widen_dtypes(node);
    for (Block* inner : node->blocks()) widen(inner);
  }
}

}  // namespace

torch::jit::Module widened(const torch::jit::Module& module) {
  const at::NoGradGuard no_grad;
  torch::jit::Module copy = module.deepcopy();
  std::unordered_set<const void*> seen;
  wide(c10::IValue(copy._ivalue()), seen);
  return copy;
}

void widen(torch::jit::Graph& graph) {
  widen(graph.block());
}

DoubleByDefault::DoubleByDefault() : before_(c10::get_default_dtype()) {
  c10::set_default_dtype(caffe2::TypeMeta::Make<double>());
}

DoubleByDefault::~DoubleByDefault() {
  c10::set_default_dtype(before_);
}

}  // namespace deformdiff::worker
