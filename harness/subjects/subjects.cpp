#include "subjects/subjects.h"

#include "subjects/autocast.h"
#include "subjects/cuda/subjects.h"
#include "subjects/function_subject.h"
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/composite.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/tracing/traced.h"

#include <string>
#include <utility>

namespace deformdiff::worker {
namespace {

std::vector<std::pair<Replay, const char*>> replays() {
  return {{Replay::kInterpreter, ""},
          {Replay::kReloaded, "/reloaded"},
          {Replay::kOptimized, "/optimized"},
          {Replay::kFrozen, "/frozen"},
          {Replay::kInference, "/inference"}};
}

SubjectInfo autocast_info(std::string name) {
  SubjectInfo info = composite_info(std::move(name));
  info.dtypes = {DType::kFloat32};
  info.mixed_dtypes.clear();
  info.precision.autocast = Autocast::kBFloat16;
  return info;
}

}  // namespace

SubjectList builtin_subjects() {
  using namespace ms_deform_attn;
  const auto make = [](SubjectInfo info, BlockFunction function) {
    return make_block_subject(of_every_block(std::move(info)), std::move(function));
  };
  SubjectInfo cpu = fused_info("cpu");
  cpu.calls = Concurrency::kAtOnce;
  SubjectList list;
  list.push_back(make(std::move(cpu), every_block(forward_operator, backward_operator)));
  list.push_back(cuda_subject());
  list.push_back(
      make(fused_info("cuda_emulated"), every_block(forward_cuda_emulated, backward_cuda_emulated)));
  list.push_back(make(composite_info("composite"), every_block(forward_composite)));
  list.push_back(make(autocast_info("composite/autocast"), under_autocast(every_block(forward_composite))));
  list.push_back(composite_cuda_subject());
  for (const auto& [replay, suffix] : replays()) {
    const auto add = [&](SubjectInfo info, const MsDeformAttnFunction& function) {
      // What is compiled anew for each case is not compiled twice to see whether the bits repeat.
      const bool compiled = replay != Replay::kInterpreter && replay != Replay::kReloaded;
      if (compiled) info.contract.deterministic = Deterministic::kUnknown;
      list.push_back(make(std::move(info), traced(every_block(function), replay)));
    };
    add(composite_info(std::string("traced/composite") + suffix), forward_composite);
    add(fused_info(std::string("traced/op") + suffix), forward_operator);
  }
  return list;
}

}  // namespace deformdiff::worker
