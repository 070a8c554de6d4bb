#include "worker/module/taps.h"

#include "worker/tensors.h"

#include <map>
#include <unordered_set>
#include <utility>

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

namespace deformdiff::worker {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Stack;
using torch::jit::Value;
namespace prim = torch::jit::prim;

/// What the operators below are run for.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void enter(std::size_t point) = 0;
  virtual void record(std::size_t point, const at::Tensor& value) = 0;
};

thread_local Sink* current_sink = nullptr;

/// Operators of the interpreter alone: a tap sees a value and changes nothing.
const torch::jit::RegisterOperators kOperators({
    torch::jit::Operator(
        "deformdiff::tap(Tensor value, int point) -> ()",
        [](Stack& stack) {
          const auto point = static_cast<std::size_t>(torch::jit::pop(stack).toInt());
          const c10::IValue value = torch::jit::pop(stack);
          if (current_sink != nullptr && value.isTensor()) current_sink->record(point, value.toTensor());
        },
        c10::AliasAnalysisKind::CONSERVATIVE),
    torch::jit::Operator(
        "deformdiff::enter(int point) -> ()",
        [](Stack& stack) {
          const auto point = static_cast<std::size_t>(torch::jit::pop(stack).toInt());
          if (current_sink != nullptr) current_sink->enter(point);
        },
        c10::AliasAnalysisKind::CONSERVATIVE),
});

bool is_tensor(const Value* value) {
  return value->type()->kind() == c10::TypeKind::TensorType;
}

/// Keeps copies, with the number of the call or of the value's turn.
class Recorder : public Sink {
 public:
  struct Record {
    std::size_t point;
    std::int64_t turn;
    at::Tensor value;
  };

  /// `names` and `calls` by point.
  Recorder(std::vector<std::string> names, std::vector<bool> calls, std::int64_t most_bytes)
      : names_(std::move(names)), calls_(std::move(calls)), bytes_left_(most_bytes) {}

  void enter(std::size_t point) override { ++turns_[names_[point]]; }

  void record(std::size_t point, const at::Tensor& value) override {
    if (!calls_[point]) ++turns_[names_[point]];
    if (!value.defined() || value.layout() != at::kStrided || !dtype_of(value.scalar_type())) return;
    const bool wanted = calls_[point] || value.is_floating_point() || value.scalar_type() == at::kBool;
    if (!wanted) return;
    const auto bytes = static_cast<std::int64_t>(value.nbytes());
    if (bytes > bytes_left_) {
      ++cut_;
      return;
    }
    bytes_left_ -= bytes;
    records_.push_back({point, turns_[names_[point]] - 1, value.clone(at::MemoryFormat::Contiguous)});
  }

  const std::vector<Record>& records() const { return records_; }
  std::int64_t turns(const std::string& name) const { return turns_.at(name); }
  std::int64_t cut() const { return cut_; }

 private:
  std::vector<std::string> names_;
  std::vector<bool> calls_;
  std::int64_t bytes_left_;
  std::int64_t cut_ = 0;
  std::map<std::string, std::int64_t> turns_;
  std::vector<Record> records_;
};

}  // namespace

class TappedGraph::Builder : public CallListener {
 public:
  explicit Builder(TappedGraph& tapped) : tapped_(tapped) {}

  void entering(Node* call, const std::string& path) override {
    insert("deformdiff::enter", call, nullptr, {path, "", true});
    int shown = 0;
    for (Value* argument : call->inputs().slice(1)) {
      if (is_tensor(argument)) tap_in(call, argument, path, ":in", shown++);
    }
  }

  void left(Node* next, const std::string& path, Value* result) override {
    int shown = 0;
    for (Value* part : parts(result)) {
      if (is_tensor(part)) tap_in(next, part, path, ":out", shown++);
    }
  }

  /// Once everything has its place: the values that are in no call's interface.
  void tap_rest(Block* block) {
    for (Node* node = *block->nodes().begin(); node != block->return_node();) {
      Node* const next = node->next();
      for (Block* inner : node->blocks()) tap_rest(inner);
      for (Value* output : node->outputs()) {
        if (is_tensor(output) && node->kind() != prim::GetAttr) tap_value(next, output);
      }
      node = next;
    }
  }

 private:
  /// A tuple's elements where it is put together in sight.
  static std::vector<Value*> parts(Value* value) {
    Node* const node = value->node();
    if (node->kind() != prim::TupleConstruct && node->kind() != prim::ListConstruct) return {value};
    return {node->inputs().begin(), node->inputs().end()};
  }

  void tap_in(Node* before, Value* value, const std::string& path, const char* suffix, int number) {
    named_.insert(value);
    insert("deformdiff::tap", before, value,
           {path, number == 0 ? suffix : fmt::format("{}{}", suffix, number), true});
  }

  void tap_value(Node* before, Value* value) {
    const std::size_t number = count_++;
    if (named_.contains(value)) return;
    if (const auto constant = torch::jit::toIValue(value)) {
      if (!constant->isTensor() || constant->toTensor().numel() < 2) return;
    }
    insert("deformdiff::tap", before, value, {fmt::format("%{}", number), "", false});
  }

  void insert(const char* op, Node* before, Value* value, Point point) {
    torch::jit::Graph* graph = before->owningGraph();
    const torch::jit::WithInsertPoint here(before);
    Value* const number = graph->insertConstant(static_cast<std::int64_t>(tapped_.points_.size()));
    const auto kind = c10::Symbol::fromQualString(op);
    graph->insertNode(value == nullptr ? graph->create(kind, {number}, 0)
                                       : graph->create(kind, {value, number}, 0));
    tapped_.points_.push_back(std::move(point));
  }

  TappedGraph& tapped_;
  std::unordered_set<const Value*> named_;
  std::size_t count_ = 0;
};

TappedGraph::TappedGraph(const torch::jit::Module& module) {
  Builder builder(*this);
  graph_ = flatten(module, &builder).graph;
  builder.tap_rest(graph_->block());
}

TappedGraph::~TappedGraph() = default;

void TappedGraph::show(Taps& taps, const std::function<void()>& run, std::int64_t most_bytes) const {
  std::vector<std::string> names;
  std::vector<bool> calls;
  for (const Point& point : points_) {
    names.push_back(point.name);
    calls.push_back(point.call);
  }
  Recorder recorder(std::move(names), std::move(calls), most_bytes);
  struct Guard {
    explicit Guard(Sink* sink) : before(std::exchange(current_sink, sink)) {}
    ~Guard() { current_sink = before; }
    Sink* before;
  };
  {
    const Guard guard(&recorder);
    run();
  }
  for (const auto& [number, turn, value] : recorder.records()) {
    const Point& point = points_[number];
    const bool once = recorder.turns(point.name) == 1;
    taps.show(point.name + (once ? "" : fmt::format("#{}", turn)) + point.suffix, value);
  }
  if (recorder.cut() > 0) taps.show(":cut", at::scalar_tensor(recorder.cut(), at::kLong));
}

}  // namespace deformdiff::worker
