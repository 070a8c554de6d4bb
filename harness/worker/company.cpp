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

/// In storage of its own; where it `moves`, each number is where the one before it was.
at::Tensor copied(const Tensor& tensor, bool moves) {
  const auto bytes = tensor.storage();
  c10::Storage storage(c10::Storage::use_byte_size_t(), bytes.size(),
                       c10::GetCPUAllocator()->allocate(bytes.size()), c10::GetCPUAllocator());
  auto* const to = static_cast<std::byte*>(storage.mutable_data());
  std::ranges::copy(bytes, to);
  if (moves && !bytes.empty()) std::rotate(to, to + size_of(tensor.dtype()), to + bytes.size());
  return view_of(std::move(storage), tensor);
}

}  // namespace

Company::Company(Subject& subject, const Case& c) : subject_(subject), case_(c) {
  // What follows, such as locations, stays: another one may be one that the subject cannot do.
  const auto first = std::ranges::find_if(
      c.inputs, [](const NamedTensor& each) { return is_floating(each.tensor.dtype()); });
  for (auto input = c.inputs.begin(); input != c.inputs.end(); ++input) {
    names_.push_back(input->name);
    inputs_.push_back(copied(input->tensor, input == first));
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
