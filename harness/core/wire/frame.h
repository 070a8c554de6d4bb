// One message on its way between the parent and a worker: a frame, laid out as a safetensors file: a JSON
// header and raw little-endian tensor data. The whole protocol is in harness/core/WIRE.md; a worker can be
// written in any language in about a page.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::wire {

/// Data of more bytes than this lies in the shared memory, not behind the header.
constexpr std::size_t kInlineData = 32 << 10;

/// Descriptors that a worker inherits: shared memory for data it is sent, and for data it sends.
constexpr int kToWorkerMemory = 3;
constexpr int kFromWorkerMemory = 4;

/// Pieces of data in shared memory begin at multiples of this.
constexpr std::size_t kSharedAlignment = 64;

/// Where the next piece of data begins behind one of `size` bytes at `offset`.
constexpr std::size_t next_shared_offset(std::size_t offset, std::size_t size) {
  return (offset + size + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
}

/// A message ready to send. The pieces of data follow one another without gaps and belong to the tensors of
/// the value that was encoded, which must outlive this.
struct Message {
  std::string header;  ///< JSON
  std::vector<std::span<const std::byte>> data;
  std::size_t data_size = 0;
};

/// Which message it is: "run", "describe". Throws InputError as every decode_...() does.
std::string kind_of_message(std::string_view header, std::span<const std::byte> data);

/// What goes before a header: how many bytes of data and of header there are, each as 8 bytes little-endian.
struct Prelude {
  static constexpr std::size_t kBytes = 16;
  std::uint64_t data_size = 0;
  std::uint64_t header_size = 0;
};

std::array<std::byte, Prelude::kBytes> encode(const Prelude& prelude);

/// Throws InputError for sizes that no message has.
Prelude decode_prelude(std::span<const std::byte, Prelude::kBytes> bytes);

}  // namespace deformdiff::wire
