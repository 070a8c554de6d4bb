// What kernels in a library of PyTorch operators may touch: the storage of every tensor that went into or
// came out of an operator and still exists. Part of such a library, not of deformdiff-worker.
#include "emulation/buffers.h"

#include <map>
#include <mutex>
#include <vector>

#include <ATen/record_function.h>

namespace deformdiff::emulation {
namespace {

using WeakStorage = c10::weak_intrusive_ptr<c10::StorageImpl>;

std::mutex mutex;

/// By address: memory that is used again belongs to the newer tensor.
std::map<const void*, WeakStorage>& storages() {
  static std::map<const void*, WeakStorage> all;
  return all;
}

void note(const c10::IValue& value) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    if (!tensor.defined() || !tensor.has_storage() || !tensor.is_cpu()) return;
    const c10::Storage& storage = tensor.storage();
    if (storage.data() != nullptr) storages().insert_or_assign(storage.data(), storage.getWeakStorageImpl());
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) note(tensor);
  }
}

std::unique_ptr<at::ObserverContext> note_inputs(const at::RecordFunction& function) {
  const std::lock_guard lock(mutex);
  for (const c10::IValue& input : function.inputs()) note(input);
  return nullptr;
}

void note_outputs(const at::RecordFunction& function, at::ObserverContext*) {
  const std::lock_guard lock(mutex);
  for (const c10::IValue& output : function.outputs()) note(output);
}

std::vector<Buffer> living_storages() {
  const std::lock_guard lock(mutex);
  std::vector<Buffer> buffers;
  std::erase_if(storages(), [&](const auto& entry) {
    const auto storage = entry.second.lock();
    if (storage == nullptr || storage->data() != entry.first) return true;
    buffers.push_back(
        {entry.first, storage->nbytes(), "a tensor of " + std::to_string(storage->nbytes()) + " bytes"});
    return false;
  });
  return buffers;
}

[[maybe_unused]] const bool kRegistered = [] {
  add_buffer_source(living_storages);
  at::addGlobalCallback(
      at::RecordFunctionCallback(note_inputs, note_outputs).needsInputs(true).needsOutputs(true));
  return true;
}();

}  // namespace
}  // namespace deformdiff::emulation
