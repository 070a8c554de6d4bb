#include "worker/executor.h"

#include "blocks/block_list.h"
#include "blocks/ms_deform_attn.h"
#include "core/module_description.h"
#include "worker/company.h"
#include "worker/guard_bands.h"
#include "worker/guarded_allocator.h"
#include "worker/packed_inputs.h"
#include "worker/tensors.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

namespace deformdiff::worker {
namespace {

using Clock = std::chrono::steady_clock;

/// A call that took longer is not repeated in other ways.
constexpr double kQuickSeconds = 1e-3;

std::vector<std::string> output_names(const Block* block, const Case& c, std::size_t count) {
  std::vector<std::string> names;
  if (block == nullptr) {
    for (std::size_t i = 0; i < count; ++i) names.push_back(fmt::format("output.{}", i));
  } else {
    for (const OutputSpec& output : block->outputs(c)) names.push_back(output.name);
  }
  return names;
}

/// Of what an exception says, which may be nothing at all, or any amount.
std::string first_line(const char* text) {
  constexpr std::size_t kLongest = 2000;
  if (text == nullptr) return "an exception whose what() is null";
  const std::string_view line(text, ::strnlen(text, kLongest));
  return std::string(line.substr(0, line.find('\n')));
}

/// The outcome that the exception now being handled is. The most derived of LibTorch's come first.
Outcome outcome_of_exception() {
  try {
    throw;
  } catch (const c10::NotImplementedError& error) {
    return outcome_of(Outcome::Kind::kUnsupported, first_line(error.what_without_backtrace()));
  } catch (const c10::AcceleratorError& error) {
    return outcome_of(Outcome::Kind::kDeviceError, first_line(error.what_without_backtrace()));
  } catch (const c10::OutOfMemoryError& error) {
    return outcome_of(Outcome::Kind::kThrew, "out of memory: " + first_line(error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    return outcome_of(Outcome::Kind::kThrew, first_line(error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    return outcome_of(Outcome::Kind::kThrew, "out of memory");
  } catch (const std::exception& error) {
    return outcome_of(Outcome::Kind::kThrew, first_line(error.what()));
  } catch (...) {
    return outcome_of(Outcome::Kind::kThrew, "something that is not a std::exception");
  }
}

/// Which buffer was overrun, in words that a smaller case of the same fault has too: without its size.
std::string describe(const Damage& damage, const std::vector<at::Tensor>& outputs) {
  const bool output = std::ranges::any_of(outputs, [&](const at::Tensor& tensor) {
    return tensor.defined() && tensor.has_storage() && tensor.storage().data() == damage.memory;
  });
  const std::string place = output ? "the output" : "an allocation";
  return fmt::format("{} {}", damage.before ? "before" : "after", place);
}

std::string_view layout_name(at::Layout layout) {
  switch (layout) {
    case at::kSparse:
      return "sparse_coo";
    case at::kSparseCsr:
      return "sparse_csr";
    case at::kSparseCsc:
      return "sparse_csc";
    case at::kSparseBsr:
      return "sparse_bsr";
    case at::kSparseBsc:
      return "sparse_bsc";
    case at::kMkldnn:
      return "mkldnn";
    default:
      return "differently laid out";
  }
}

/// What the tensor is, where it cannot be shown to the parent, which then misses it; empty if it can.
std::string why_not_shown(const at::Tensor& tensor, c10::Device device) {
  if (!tensor.defined()) return "undefined";
  if (tensor.is_nested()) return "a nested tensor";
  const std::string shape = to_string(tensor.sizes().vec());
  if (tensor.layout() != at::kStrided) {
    return fmt::format("a {} tensor of shape {}", layout_name(tensor.layout()), shape);
  }
  if (tensor.device().type() != device.type()) {
    return fmt::format("a tensor of shape {} on device {}", shape, tensor.device().str());
  }
  if (!dtype_of(tensor.scalar_type())) {
    return fmt::format("a {} tensor of shape {}", c10::getDtypeNames(tensor.scalar_type()).first, shape);
  }
  return {};
}

/// Something that a returned outcome says beside its tensors.
void add_note(Outcome& outcome, const std::string& note) {
  outcome.message += (outcome.message.empty() ? "" : "; ") + note;
}

/// Copies of what is shown. They are sent ahead as soon as there are many bytes of them.
class RecordedTaps : public Taps {
 public:
  explicit RecordedTaps(const StagesSender& send_ahead) : send_ahead_(send_ahead) {}

  at::Tensor show(const std::string& name, const at::Tensor& value) override {
    shown_.insert(name);
    stages_.push_back({name, from_torch(value)});
    bytes_ += stages_.back().tensor.storage().size();
    if (bytes_ >= kSentAhead) {
      send_ahead_(take());
      bytes_ = 0;
    }
    return value;
  }

  std::vector<NamedTensor> take() { return std::exchange(stages_, {}); }
  bool has_shown(const std::string& name) const { return shown_.contains(name); }

 private:
  static constexpr std::size_t kSentAhead = 16 << 20;

  const StagesSender& send_ahead_;
  std::vector<NamedTensor> stages_;
  std::set<std::string> shown_;
  std::size_t bytes_ = 0;
};

/// Whether a call failed, or returned nothing that can be shown where the first did.
bool fell_short(const Outcome& further, const Outcome& first) {
  return further.kind != Outcome::Kind::kReturned || (further.outputs.empty() && !first.outputs.empty());
}

/// The outcome of a further call that fell short.
Outcome said_of(std::string_view call, Outcome further) {
  further.message = fmt::format("{}: {}", call, further.message);
  return further;
}

/// What a further call was seen to break is said of the first, unless that broke something itself.
void add_damage(std::string_view call, const Outcome& further, Outcome& first) {
  const auto takes = [](const std::string& theirs, const std::string& ours) {
    return ours.empty() && !theirs.empty();
  };
  if (takes(further.overran, first.overran)) {
    first.overran = further.overran;
    add_note(first, further.message);
  }
  if (takes(further.modified, first.modified)) {
    first.modified = further.modified;
    add_note(first, fmt::format("seen {}", call));
  }
  if (takes(further.unwritten_output, first.unwritten_output)) {
    first.unwritten_output = further.unwritten_output;
    first.first_unwritten = further.first_unwritten;
    add_note(first, fmt::format("seen {}", call));
  }
}

/// The input that is not what the case says, or empty. Where several share storage, the one whose own
/// elements changed.
std::string modified_input(const std::vector<at::Tensor>& inputs, const Case& c) {
  std::string touched;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& [name, tensor] = c.inputs[i];
    if (is_copy_of(inputs[i], tensor)) continue;
    if (!is_view_of(inputs[i], tensor) || from_torch(inputs[i]) != tensor.contiguous()) return name;
    if (touched.empty()) touched = name;
  }
  return touched;
}

/// What a tapped call returned are stages of it, shown or not.
void add_outputs(const Block* block, const Case& c, const Outcome& tapped, const RecordedTaps& taps,
                 std::vector<NamedTensor>& stages) {
  if (block == nullptr) return;
  for (const OutputSpec& spec : block->outputs(c)) {
    const Tensor* output = find_tensor(tapped.outputs, spec.name);
    if (output != nullptr && !taps.has_shown(spec.stage)) stages.push_back({spec.stage, *output});
  }
}

}  // namespace

Outcome Executor::execute(Subject& subject, c10::Device device, const Case& c, CallMode mode,
                          const StagesSender& send_ahead) {
  const Block* block = find_block_definition(c.block);
  if (block == nullptr && c.block != kOpaqueBlock) {
    return outcome_of(Outcome::Kind::kUnsupported, fmt::format("this worker knows no block {}", c.block));
  }
  Outcome first = call(subject, device, c, block, {});
  if (first.kind == Outcome::Kind::kReturned && mode.twice) {
    constexpr std::string_view kCall = "on a second call";
    const Outcome second = call(subject, device, c, block, {});
    if (fell_short(second, first)) return said_of(kCall, second);
    first.ran_twice = true;
    first.repeated_bits = first.outputs == second.outputs;
    for (std::size_t i = 0; i < std::min(first.outputs.size(), second.outputs.size()); ++i) {
      if (first.outputs[i] != second.outputs[i]) first.other_bits.push_back(first.outputs[i].name);
    }
    add_damage(kCall, second, first);
  }
  const bool quick =
      first.kind == Outcome::Kind::kReturned && device.is_cpu() && first.seconds < kQuickSeconds;
  if (quick && mode.packed) {
    const bool differentiates = block == &ms_deform_attn::backward_block();
    const std::string_view call_text = differentiates
                                           ? "called on inputs that share storage"
                                           : "called in inference mode on inputs that share storage";
    Outcome packed = call(subject, device, packed_inputs(c), block, {.inference = !differentiates});
    // It may be there for autograd alone.
    const bool supported = packed.kind != Outcome::Kind::kUnsupported;
    if (supported && fell_short(packed, first)) return said_of(call_text, std::move(packed));
    if (supported && packed.outputs != first.outputs) first.packed = std::move(packed.outputs);
    add_damage(call_text, packed, first);
  }
  if (quick && mode.at_once) {
    const Company company(subject, c);
    Outcome at_once = call(subject, device, c, block, {.requires_grad = true});
    constexpr std::string_view kCall = "called by two threads at once, on inputs that require gradients";
    if (fell_short(at_once, first)) return said_of(kCall, std::move(at_once));
    if (at_once.outputs != first.outputs) first.at_once = std::move(at_once.outputs);
    add_damage(kCall, at_once, first);
  }
  if (first.kind == Outcome::Kind::kReturned && mode.tap) {
    RecordedTaps taps(send_ahead);
    constexpr std::string_view kCall = "on a tapped call";
    Outcome tapped = call(subject, device, c, block, {.taps = &taps});
    if (tapped.kind != Outcome::Kind::kReturned) return said_of(kCall, std::move(tapped));
    add_damage(kCall, tapped, first);
    first.stages = taps.take();
    add_outputs(block, c, tapped, taps, first.stages);
  }
  return first;
}

Outcome Executor::call(Subject& subject, c10::Device device, const Case& c, const Block* block,
                       const How& how) {
  const at::AutoGradMode grad(how.requires_grad);
  // Even a guard that is to leave the mode as it is turns gradients on.
  std::optional<c10::InferenceMode> inference;
  if (how.inference) inference.emplace();
  Outcome outcome;
  std::vector<at::Tensor> inputs, outputs;
  try {
    subject.prepare();
    std::vector<std::string> input_names;
    buffers_.begin_call();
    for (const NamedTensor& input : c.inputs) {
      input_names.push_back(input.name);
      inputs.push_back(device.is_cpu() ? buffers_.place(input.tensor) : copy_on(device, input.tensor));
      // Not the buffers' own tensor, which other calls are given.
      if (how.requires_grad && inputs.back().is_floating_point())
        inputs.back() = inputs.back().detach().requires_grad_();
    }
    const std::uint64_t allocations = GuardedAllocator::instance().count();
    const auto start = Clock::now();
    outputs = subject.run({c.block, c.attributes, input_names, inputs, how.taps});
    outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    outcome.kind = Outcome::Kind::kReturned;
    look_for_damage(inputs, c, outputs, outcome);
    keep_outputs(outputs, output_names(block, c, outputs.size()), device, outcome);
    // A module may hand out a constant that it has made once and for all, and nothing else that it keeps.
    write_over(block == nullptr ? std::vector<at::Tensor>() : outputs, allocations);
  } catch (...) {
    outcome = outcome_of_exception();
    GuardedAllocator::instance().take_damage();  // of this call, which has its verdict
  }
  buffers_.release_large();
  return outcome;
}

void Executor::look_for_damage(const std::vector<at::Tensor>& inputs, const Case& c,
                               const std::vector<at::Tensor>& outputs, Outcome& outcome) {
  if (const auto damage = GuardedAllocator::instance().take_damage()) {
    outcome.overran = describe(*damage, outputs);
    add_note(outcome, fmt::format("the buffer that was overrun has {} bytes", damage->bytes));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = c.inputs[i].name;
    const std::string_view side = inputs[i].is_cpu() ? buffers_.damage(i) : std::string_view();
    if (outcome.overran.empty() && !side.empty()) outcome.overran = fmt::format("{} input {}", side, name);
  }
  outcome.modified = modified_input(inputs, c);
  const bool written = std::ranges::any_of(written_over_, [](const WrittenOver& result) {
    return result.storage.nbytes() != result.bytes ||
           !is_whole_band(static_cast<const std::byte*>(result.storage.data()), result.bytes);
  });
  const bool changed = std::ranges::any_of(
      handed_out_, [](const auto& result) { return from_torch(result.first) != result.second; });
  if (outcome.modified.empty() && (written || changed)) outcome.modified = "earlier output";
  written_over_.clear();
  handed_out_.clear();
}

void Executor::keep_outputs(const std::vector<at::Tensor>& outputs, const std::vector<std::string>& names,
                            c10::Device device, Outcome& outcome) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string name = i < names.size() ? names[i] : fmt::format("extra_{}", i);
    const std::string reason = why_not_shown(outputs[i], device);
    if (!reason.empty()) {
      add_note(outcome, fmt::format("{} is {}", name, reason));
      continue;
    }
    const Tensor bits = from_torch(outputs[i]);
    outcome.outputs.push_back({name, bits});
    handed_out_.emplace_back(outputs[i], bits);
    const std::int64_t poisoned = first_poisoned(bits);
    if (poisoned >= 0 && outcome.unwritten_output.empty()) {
      outcome.unwritten_output = name;
      outcome.first_unwritten = poisoned;
    }
  }
}

void Executor::write_over(const std::vector<at::Tensor>& outputs, std::uint64_t allocations) {
  for (const at::Tensor& output : outputs) {
    if (!output.defined() || !output.has_storage() || !output.is_cpu()) continue;
    const c10::Storage& storage = output.storage();
    if (!GuardedAllocator::instance().was_made_after(allocations, storage.data())) continue;
    fill_band(static_cast<std::byte*>(storage.mutable_data()), storage.nbytes());
    written_over_.push_back({storage, storage.nbytes()});
  }
  std::erase_if(handed_out_, [&](const auto& result) {
    const at::Tensor& output = result.first;
    return buffers_.hold(output) || std::ranges::any_of(written_over_, [&](const WrittenOver& over) {
             return over.storage.data() == output.storage().data();
           });
  });
}

}  // namespace deformdiff::worker
