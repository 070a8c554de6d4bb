// What happened when a subject met a case.
#pragma once

#include "core/tensor.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace deformdiff {

/// How a worker calls a subject on a case.
struct CallMode {
  bool twice = false;  ///< once more on fresh copies of the inputs, to see whether the bits repeat
  bool tap = false;    ///< once more for the values of the block's stages
  /// Once more where it is quick, as training programs and servers call: with inputs that require gradients,
  /// while another thread calls it on other numbers.
  bool at_once = false;
  /// Once more where it is quick, as servers call: in inference mode (not for gradients), with all inputs of
  /// one dtype in one storage.
  bool packed = false;
  friend bool operator==(const CallMode&, const CallMode&) = default;
};

struct Outcome {
  enum class Kind : std::uint8_t {
    kReturned,
    kUnsupported,  ///< the subject says it does not do this; `message` is its reason
    kThrew,
    kDeviceError,
    kCrashed,  ///< died, was killed, left, or wrote nonsense into the channel; `message` says which
    kTimedOut,
    kNotRun,  ///< never given to the subject; `message` is the reason
  };

  Kind kind = Kind::kNotRun;
  std::string message;
  std::vector<NamedTensor> outputs;  ///< contiguous; only if returned
  std::vector<NamedTensor> stages;   ///< values on the way, by stage name, of a call that was tapped
  std::vector<NamedTensor> at_once;  ///< of a call at once with another, where they differ from `outputs`
  std::vector<NamedTensor> packed;   ///< of a call on packed inputs, where they differ from `outputs`
  double seconds = 0;                ///< of the first run, inside the worker
  /// Of a subject without a bound: what it made of the cases that a relation makes of this one, in the order
  /// of RelatedCases. Known to the parent alone.
  std::vector<Outcome> related;
  /// How the worker ended that was to run the case first, where a signal that others send ended it and
  /// another ran the case again; empty where the first did. Known to the parent alone.
  std::string lost_worker;

  // Rule 3 and 6, seen by the worker. Names are of inputs or outputs, empty if all is well.
  std::string overran;           ///< where a guard band was found broken
  std::string modified;          ///< input that changed, or "earlier output" for a result handed out before
  std::string unwritten_output;  ///< output with elements that still hold the poison
  std::int64_t first_unwritten = -1;
  bool ran_twice = false;
  bool repeated_bits = true;            ///< the second run gave the same bits; meaningful if ran_twice
  std::vector<std::string> other_bits;  ///< outputs to which it gave others, as far as the worker names them
};

/// Without outputs: a kind and its reason.
inline Outcome outcome_of(Outcome::Kind kind, std::string message = "") {
  Outcome outcome;
  outcome.kind = kind;
  outcome.message = std::move(message);
  return outcome;
}

}  // namespace deformdiff
