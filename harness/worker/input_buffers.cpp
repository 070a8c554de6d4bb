#include "worker/input_buffers.h"

#include "worker/guard_bands.h"
#include "worker/tensors.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <c10/core/Storage.h>
#include <c10/util/Exception.h>

namespace deformdiff::worker {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kNarrowest = 4 << 10;
constexpr std::size_t kWidest = 4 << 20;

/// Buffers of more than this go back to the system after the call.
constexpr std::size_t kLarge = 16 << 20;

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// Of an input of so many bytes. A row of pixels is no larger than its map.
std::size_t band_of(std::size_t bytes) {
  return std::clamp(aligned(bytes), kNarrowest, kWidest);
}

std::shared_ptr<std::byte> make_memory(std::size_t bytes) {
  void* memory = nullptr;
  TORCH_CHECK_WITH(OutOfMemoryError, ::posix_memalign(&memory, kAlignment, bytes) == 0,
                   "out of memory: ", bytes, " bytes asked for");
  return {static_cast<std::byte*>(memory), &std::free};
}

/// Keeps `memory` as long as somebody has a tensor in it.
c10::Storage storage_in(const std::shared_ptr<std::byte>& memory, std::byte* data, std::size_t bytes) {
  const c10::Device cpu(c10::DeviceType::CPU);
  c10::DataPtr pointer(
      bytes == 0 ? nullptr : data, new std::shared_ptr<std::byte>(memory),
      [](void* kept) { delete static_cast<std::shared_ptr<std::byte>*>(kept); }, cpu);
  return c10::Storage(c10::Storage::use_byte_size_t(), bytes, std::move(pointer), /*allocator=*/nullptr,
                      /*resizable=*/false);
}

}  // namespace

std::byte* InputBuffers::Buffer::data() const {
  return memory.get() + band_of(capacity);
}

at::Tensor InputBuffers::place(const Tensor& tensor) {
  const std::byte* const storage = tensor.storage().data();
  const auto shared = std::ranges::find(placed_, storage, &Placed::storage);
  if (shared != placed_.end() && !tensor.storage().empty()) {
    placed_.push_back(*shared);
    return view_of(buffers_[placed_.back().buffer].given.storage(), tensor);
  }
  placed_.push_back({storage, placed_.size()});
  if (placed_.size() > buffers_.size()) buffers_.resize(placed_.size());
  return fill(buffers_[placed_.back().buffer], tensor);
}

at::Tensor InputBuffers::fill(Buffer& buffer, const Tensor& tensor) {
  const std::span<const std::byte> bytes = tensor.storage();
  if (!buffer.memory || bytes.size() > buffer.capacity) {
    // Some room, so that the address stays for inputs to come.
    const std::size_t capacity =
        aligned(bytes.size() > kLarge ? bytes.size() : std::max(kNarrowest, 2 * bytes.size()));
    buffer = {};
    buffer.memory = make_memory(capacity + 2 * band_of(capacity));
    buffer.capacity = capacity;
  }
  std::byte* const data = buffer.data();
  const std::size_t band = band_of(bytes.size());
  fill_band(data - band, band);
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  fill_band(data + bytes.size(), band);
  const bool same = buffer.given.defined() && buffer.bytes == bytes.size() &&
                    is_view_of(buffer.given, tensor) &&
                    buffer.given.storage().data() == (bytes.empty() ? nullptr : data);
  buffer.bytes = bytes.size();
  if (!same) buffer.given = view_of(storage_in(buffer.memory, data, bytes.size()), tensor);
  return buffer.given;
}

std::string_view InputBuffers::damage(std::size_t position) const {
  const Buffer& buffer = buffers_[placed_.at(position).buffer];
  const std::size_t band = band_of(buffer.bytes);
  if (!is_whole_band(buffer.data() - band, band)) return "before";
  if (!is_whole_band(buffer.data() + buffer.bytes, band)) return "after";
  return {};
}

bool InputBuffers::hold(const at::Tensor& tensor) const {
  const void* const memory = tensor.storage().data();
  return std::ranges::any_of(buffers_,
                             [&](const Buffer& buffer) { return buffer.memory && memory == buffer.data(); });
}

void InputBuffers::release_large() {
  for (Buffer& buffer : buffers_) {
    if (buffer.capacity > kLarge) buffer = {};
  }
}

}  // namespace deformdiff::worker
