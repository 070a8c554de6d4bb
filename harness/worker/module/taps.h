// The values inside a module's graph while it runs.
#pragma once

#include "subjects/subject.h"
#include "worker/module/graph.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/jit/api/module.h>

namespace deformdiff::worker {

/// More bytes than this are not kept of one run.
constexpr std::int64_t kTapBytes = std::int64_t{2} << 30;

/// A module's graph that also records, at the moment it is there, every value of a dtype that a case may
/// have:
///   PATH:in, PATH:in1, ...    tensors that a submodule's forward is given
///   PATH:out, PATH:out1, ...  tensors that it returns
///   %N                        other floating or boolean values, N counting the graph's tensors in its order
/// What happens more than once in a run has a number, from 0: PATH#K:in, %N#K.
class TappedGraph {
 public:
  explicit TappedGraph(const torch::jit::Module& module);
  ~TappedGraph();

  const std::shared_ptr<torch::jit::Graph>& graph() const { return graph_; }

  /// Shows what the graph computes during `run`, in order, once that has come back. Where values are left out
  /// because there are too many, the last that is shown is ":cut", an int64 saying how many.
  void show(Taps& taps, const std::function<void()>& run, std::int64_t most_bytes = kTapBytes) const;

 private:
  class Builder;
  struct Point {
    std::string name;    ///< path or %N
    std::string suffix;  ///< :in, :out1, or nothing
    bool call = false;   ///< of a submodule: numbered by its calls
  };

  std::shared_ptr<torch::jit::Graph> graph_;
  std::vector<Point> points_;
};

}  // namespace deformdiff::worker
