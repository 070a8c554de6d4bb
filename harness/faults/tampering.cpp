#include "faults/tampering.h"

#include <utility>

#include <ATen/ops/clone.h>
#include <torch/csrc/jit/frontend/tracer.h>

namespace deformdiff::worker {
namespace {

class TamperingTaps : public Taps {
 public:
  TamperingTaps(Tamper tamper, Taps* next) : tamper_(std::move(tamper)), next_(next) {}

  at::Tensor show(const std::string& name, const at::Tensor& value) override {
    const at::Tensor changed = tamper_(name, value);
    return next_ != nullptr ? next_->show(name, changed) : changed;
  }

 private:
  Tamper tamper_;
  Taps* next_;
};

}  // namespace

BlockFunction tampered(MsDeformAttnFunction op, std::function<Tamper(const Call&)> make_tamper) {
  return [model = every_block(std::move(op)), make_tamper = std::move(make_tamper)](const Call& call) {
    TamperingTaps taps(make_tamper(call), call.taps);
    return model({call.block, call.attributes, call.names, call.inputs, &taps});
  };
}

bool is_stage(std::string_view stage, std::string_view part) {
  stage = stage.substr(0, stage.find('#'));
  if (!stage.ends_with(part)) return false;
  return stage.size() == part.size() || stage[stage.size() - part.size() - 1] == '.';
}

at::Tensor baked(const at::Tensor& tensor) {
  const auto resume = torch::jit::tracer::pauseTracing();
  at::Tensor copy = tensor.clone();
  resume();
  return copy;
}

}  // namespace deformdiff::worker
