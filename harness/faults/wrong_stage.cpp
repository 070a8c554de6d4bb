#include "faults/wrong_stage.h"

#include "subjects/function_subject.h"
#include "subjects/mask2former/blocks.h"
#include "subjects/ms_deform_attn/forward.h"

#include <charconv>
#include <cmath>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clone.h>
#include <ATen/ops/where.h>

namespace deformdiff::worker {
namespace {

constexpr std::string_view kPrefix = "fault/wrong_stage:";

at::Tensor wrong(const at::Tensor& value, double size) {
  if (value.numel() == 0) return value;
  at::Tensor changed = value.clone(at::MemoryFormat::Contiguous);
  const at::Tensor flat = changed.view(-1);
  if (!value.is_floating_point()) {
    flat.select(0, 0).logical_not_();
    return changed;
  }
  const at::Tensor magnitudes = at::where(flat.isfinite(), flat.abs(), -1);
  const at::Tensor element = flat.select(0, magnitudes.argmax().item<std::int64_t>());
  if (element.item<double>() == 0) {
    element.fill_(size);
  } else {
    element.mul_(1 + size);
  }
  return changed;
}

std::vector<at::Tensor> run(const Call& call, const std::string& stage, double size) {
  WrongStage taps(stage, size, call.taps);
  const auto outputs = mask2former::run_block({call.block, call.attributes, call.names, call.inputs, &taps},
                                              ms_deform_attn::forward_operator);
  TORCH_CHECK_NOT_IMPLEMENTED(taps.met(), "there is no stage ", stage);
  return outputs;
}

}  // namespace

WrongStage::WrongStage(std::string stage, double size, Taps* next)
    : stage_(std::move(stage)), size_(size), next_(next) {}

at::Tensor WrongStage::show(const std::string& name, const at::Tensor& value) {
  at::Tensor shown = value;
  if (name == stage_) {
    met_ = true;
    shown = wrong(value, size_);
  }
  return next_ != nullptr ? next_->show(name, shown) : shown;
}

std::unique_ptr<Subject> wrong_stage_fault(std::string_view name) {
  if (!name.starts_with(kPrefix)) return nullptr;
  const std::string_view rest = name.substr(kPrefix.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return nullptr;
  const std::string stage(rest.substr(0, colon));
  const std::string_view number = rest.substr(colon + 1);
  double size = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), size);
  if (error != std::errc() || end != number.data() + number.size() || !std::isfinite(size)) return nullptr;
  SubjectInfo info = fused_info(std::string(name));
  info.blocks = mask2former::block_names();
  info.fault_class = "stage";
  info.faulty = "stage " + stage + " has a wrong element";
  info.expected = "out_of_bound";
  return make_block_subject(std::move(info),
                            [stage, size](const Call& call) { return run(call, stage, size); });
}

}  // namespace deformdiff::worker
