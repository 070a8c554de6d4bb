// Runs a subject on a case and watches what else it does.
#pragma once

#include "core/block.h"
#include "core/outcome.h"
#include "subjects/subject.h"
#include "worker/input_buffers.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Storage.h>

namespace deformdiff::worker {

/// Takes stages of a call that still runs.
using StagesSender = std::function<void(std::vector<NamedTensor>)>;

class Executor {
 public:
  /// Whatever the subject throws or breaks is in the outcome; a subject that does not come back takes the
  /// process with it. Stages that are large together go to `send_ahead` and are not in the outcome.
  Outcome execute(Subject& subject, c10::Device device, const Case& c, CallMode mode,
                  const StagesSender& send_ahead);

 private:
  struct How {
    Taps* taps = nullptr;
    bool requires_grad = false;  ///< of all inputs of floating numbers
    bool inference = false;      ///< in LibTorch's inference mode
  };

  /// `block` is null for a module of which only its outputs' positions are known.
  Outcome call(Subject& subject, c10::Device device, const Case& c, const Block* block, const How& how);
  void look_for_damage(const std::vector<at::Tensor>& inputs, const Case& c,
                       const std::vector<at::Tensor>& outputs, Outcome& outcome);
  void keep_outputs(const std::vector<at::Tensor>& outputs, const std::vector<std::string>& names,
                    c10::Device device, Outcome& outcome);

  /// Results belong to the caller, who may write to them: fills those whose memory was taken in this call,
  /// after so many `allocations`. What is older may be a parameter or an input, and is only watched.
  void write_over(const std::vector<at::Tensor>& outputs, std::uint64_t allocations);

  struct WrittenOver {
    c10::Storage storage;
    std::size_t bytes;
  };

  InputBuffers buffers_;
  // What the call before handed out: memory that was written over, and tensors with their bits at that time.
  std::vector<WrittenOver> written_over_;
  std::vector<std::pair<at::Tensor, Tensor>> handed_out_;
};

}  // namespace deformdiff::worker
