// What the parent knows of an implementation. It never sees more than this and its outcomes.
#pragma once

#include "core/dtype.h"
#include "core/precision.h"

#include <cstdint>
#include <set>
#include <string>

namespace deformdiff {

/// Whether bounds follow from a subject's Precision, or nothing is known of its arithmetic: then its answers
/// are judged by relations between them.
enum class Bound : std::uint8_t { kDerived, kNone };

/// Whether several threads may call a subject at once.
enum class Concurrency : std::uint8_t { kAtOnce, kOneAtATime };

struct SubjectInfo {
  std::string name;    ///< as reported: "cpu", "fault/...", or an address exactly as typed
  std::string device;  ///< "cpu" or "cuda"
  std::set<std::string> blocks;
  std::set<DType> dtypes{DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16};
  /// 16-bit types that it takes of some tensors beside float32 of the others: of value beside sampling_loc
  /// and attn_weight, of all others beside the parameters of norms.
  std::set<DType> mixed_dtypes;
  std::string supports;  ///< conditions on the block's dimensions, "D%8==0,L<=4"; empty for everything
  Precision precision;
  Contract contract;
  Bound bound = Bound::kDerived;
  Concurrency calls = Concurrency::kAtOnce;
  std::string not_run;  ///< why it cannot run on this machine; empty if it can
  std::string
      fault_class;       ///< for faults: "coordinates", "border", ...; for right code beside ours "control"
  std::string faulty;    ///< for faults: what is wrong, in a few words; empty otherwise
  std::string trigger;   ///< for faults: the trigger class without which the fault cannot show, or empty
  std::string expected;  ///< for faults: the verdict it must get
};

}  // namespace deformdiff
