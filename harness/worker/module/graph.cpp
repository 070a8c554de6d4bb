#include "worker/module/graph.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/inliner.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Block;
using torch::jit::GraphFunction;
using torch::jit::Node;
using torch::jit::Value;
namespace attr = torch::jit::attr;
namespace prim = torch::jit::prim;

constexpr std::size_t kLongestLine = 300;

/// forward, and forward1, forward2, ... that tracing makes of further calls.
bool is_forward(std::string_view method) {
  if (!method.starts_with("forward")) return false;
  method.remove_prefix(7);
  return std::all_of(method.begin(), method.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

class Flattener {
 public:
  Flattener(FlatGraph& flat, CallListener* listener) : flat_(flat), listener_(listener) {
    modules_[flat.graph->inputs()[0]] = "";
  }

  void flatten(Block* block) {
    for (Node* node = *block->nodes().begin(); node != block->return_node();) node = visit(node);
  }

 private:
  /// Returns the node to go on with.
  Node* visit(Node* node) {
    if (node->kind() == prim::GetAttr) {
      note_module(node);
    } else if (node->kind() == prim::CallMethod || node->kind() == prim::CallFunction) {
      if (GraphFunction* callee = torch::jit::tryToGraphFunction(node)) return replace(node, *callee);
    }
    for (Block* block : node->blocks()) flatten(block);
    return node->next();
  }

  void note_module(Node* node) {
    const auto parent = modules_.find(node->input());
    if (parent == modules_.end()) return;
    const std::string& name = node->s(attr::name);
    const std::string path = parent->second.empty() ? name : parent->second + "." + name;
    const auto type = node->output()->type()->cast<c10::ClassType>();
    if (type && type->is_module()) {
      modules_[node->output()] = path;
    } else {
      flat_.read.insert(path);
    }
  }

  Node* replace(Node* call, GraphFunction& callee) {
    callee.ensure_defined();
    std::string scope = flat_.scope_of(call);
    bool is_call = false;
    if (call->kind() == prim::CallFunction) {
      call->removeInput(0);
    } else if (const auto module = modules_.find(call->input(0)); module != modules_.end()) {
      scope = module->second;
      is_call = is_forward(call->s(attr::name));
    }
    if (is_call && listener_ != nullptr) listener_->entering(call, scope);
    Node* const before = call->prev();
    Node* const after = call->next();
    const std::vector<Value*> results = torch::jit::inlineCallTo(call, &callee, callee.graph().get());
    for (Node* node = before->next(); node != after; node = node->next()) note_scope(node, scope);
    if (is_call && listener_ != nullptr && results.size() == 1) listener_->left(after, scope, results[0]);
    return before->next();
  }

  void note_scope(const Node* node, const std::string& scope) {
    if (!scope.empty()) flat_.scopes[node] = scope;
    for (const Block* block : node->blocks()) {
      for (const Node* inner : block->nodes()) note_scope(inner, scope);
    }
  }

  FlatGraph& flat_;
  CallListener* listener_;
  std::unordered_map<const Value*, std::string> modules_;  ///< path
};

}  // namespace

const std::string& FlatGraph::scope_of(const Node* node) const {
  static const std::string root;
  const auto found = scopes.find(node);
  return found == scopes.end() ? root : found->second;
}

FlatGraph flatten(const torch::jit::Module& module, CallListener* listener) {
  GraphFunction& forward = torch::jit::toGraphFunction(module.get_method("forward").function());
  forward.ensure_defined();
  FlatGraph flat{forward.graph()->copy(), {}, {}};
  Flattener(flat, listener).flatten(flat.graph->block());
  return flat;
}

std::string line_of(const Node* node) {
  std::ostringstream stream;
  node->print(stream, 0, nullptr, /*print_source_locations=*/false, /*print_attributes=*/true,
              /*print_scopes=*/false, /*print_body=*/false);
  std::string line;
  for (const char c : stream.str()) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!blank) line += c;
    if (blank && !line.empty() && line.back() != ' ') line += ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  if (line.size() > kLongestLine) line = line.substr(0, kLongestLine - 3) + "...";
  return line;
}

}  // namespace deformdiff::worker
