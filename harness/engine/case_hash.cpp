#include "engine/case_hash.h"

#include "core/random.h"

#include <bit>
#include <cstring>

namespace deformdiff {
namespace {

std::uint64_t join(std::uint64_t hash, std::uint64_t word) {
  return mix_bits((hash ^ word) + 0x9e3779b97f4a7c15ULL);
}

std::uint64_t join(std::uint64_t hash, const std::string& text) {
  return hash_bytes(std::as_bytes(std::span(text)), hash);
}

std::uint64_t join(std::uint64_t hash, const Shape& shape) {
  return hash_bytes(std::as_bytes(std::span(shape)), hash);
}

}  // namespace

std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t start) {
  std::uint64_t hash = join(start, bytes.size());
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, 8);
    hash = join(hash, word);
  }
  std::uint64_t rest = 0;
  if (at < bytes.size()) std::memcpy(&rest, bytes.data() + at, bytes.size() - at);
  return join(hash, rest);
}

std::uint64_t content_hash(const Case& c) {
  std::uint64_t hash = join(0, c.block);
  for (const auto& [name, value] : c.attributes) {
    hash = join(join(hash, name), std::bit_cast<std::uint64_t>(value));
  }
  for (const NamedTensor& input : c.inputs) {
    hash = join(join(hash, input.name), static_cast<std::uint64_t>(input.tensor.dtype()));
    hash = join(join(hash, input.tensor.shape()), input.tensor.strides());
    hash = join(hash, static_cast<std::uint64_t>(input.tensor.offset()));
    hash = hash_bytes(input.tensor.storage(), hash);
  }
  return hash;
}

}  // namespace deformdiff
