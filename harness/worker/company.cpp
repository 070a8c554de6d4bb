#include "worker/company.h"

#include "worker/tensors.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <c10/core/CPUAllocator.h>

namespace deformdiff::worker {
namespace {

/// In storage of its own; numbers, not integers, are each where the one before them was.
at::Tensor moved_on(const Tensor& tensor) {
  const auto bytes = tensor.storage();
  c10::Storage storage(c10::Storage::use_byte_size_t(), bytes.size(),
                       c10::GetCPUAllocator()->allocate(bytes.size()), c10::GetCPUAllocator());
  auto* const to = static_cast<std::byte*>(storage.mutable_data());
  std::ranges::copy(bytes, to);
  const bool moves = is_floating(tensor.dtype()) && bytes.size() >= size_of(tensor.dtype());
  if (moves) std::rotate(to, to + size_of(tensor.dtype()), to + bytes.size());
  return view_of(std::move(storage), tensor);
}

}  // namespace

Company::Company(Subject& subject, const Case& c) : subject_(subject), case_(c) {
  for (const NamedTensor& input : c.inputs) {
    names_.push_back(input.name);
    inputs_.push_back(moved_on(input.tensor));
  }
  thread_ = std::thread([this] { call(); });
  begun_.wait(false);
}

Company::~Company() {
  ended_ = true;
  thread_.join();
}

void Company::call() {
  const at::NoGradGuard no_grad;
  begun_ = true;
  begun_.notify_one();
  while (!ended_) {
    try {
      subject_.run({case_.block, case_.attributes, names_, inputs_, nullptr});
    } catch (...) {  // the case's own call says what is wrong with the subject
    }
  }
}

}  // namespace deformdiff::worker
