#include "worker/packed_inputs.h"

#include <algorithm>
#include <map>
#include <memory>

namespace deformdiff::worker {
namespace {

/// What is between two inputs: 0xFF bytes are NaN in every type of numbers.
constexpr std::byte kBetween{0xFF};
constexpr std::size_t kAlignment = 64;

/// Where it begins. What is empty begins nowhere.
std::size_t append(const Tensor& tensor, Tensor::Bytes& storage) {
  storage.resize((storage.size() + kAlignment - 1) / kAlignment * kAlignment, kBetween);
  const std::size_t begin = storage.size();
  storage.insert(storage.end(), tensor.storage().begin(), tensor.storage().end());
  return begin;
}

}  // namespace

Case packed_inputs(const Case& c) {
  std::map<DType, std::shared_ptr<Tensor::Bytes>> storages;
  std::vector<std::size_t> begins;
  for (const auto& [name, tensor] : c.inputs) {
    auto& storage = storages[tensor.dtype()];
    if (!storage) storage = std::make_shared<Tensor::Bytes>();
    begins.push_back(append(tensor, *storage));
  }
  Case packed = c;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    Tensor& tensor = packed.inputs[i].tensor;
    const std::size_t begin = begins[i] / size_of(tensor.dtype());
    tensor = Tensor(tensor.dtype(), tensor.shape(), tensor.strides(),
                    tensor.offset() + static_cast<std::int64_t>(begin), storages.at(tensor.dtype()));
  }
  return packed;
}

}  // namespace deformdiff::worker
