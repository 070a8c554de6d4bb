#include "core/wire/frame.h"

#include "core/error.h"
#include "core/wire/fields.h"

#include <cstring>

namespace deformdiff::wire {
namespace {

constexpr std::uint64_t kMaxHeader = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxData = std::uint64_t{1} << 46;

}  // namespace

std::string kind_of_message(std::string_view header, std::span<const std::byte> data) {
  const TensorHeader parsed = parse_tensor_header(header, data.size());
  const auto found = parsed.metadata.find("message");
  if (found == parsed.metadata.end()) refuse("message", "missing; text");
  return found->second;
}

std::array<std::byte, Prelude::kBytes> encode(const Prelude& prelude) {
  std::array<std::byte, Prelude::kBytes> bytes;
  std::memcpy(bytes.data(), &prelude.data_size, 8);
  std::memcpy(bytes.data() + 8, &prelude.header_size, 8);
  return bytes;
}

Prelude decode_prelude(std::span<const std::byte, Prelude::kBytes> bytes) {
  Prelude prelude;
  std::memcpy(&prelude.data_size, bytes.data(), 8);
  std::memcpy(&prelude.header_size, bytes.data() + 8, 8);
  if (prelude.data_size > kMaxData || prelude.header_size > kMaxHeader || prelude.header_size < 2) {
    throw InputError("message: its first 16 bytes are no sizes");
  }
  return prelude;
}

}  // namespace deformdiff::wire
