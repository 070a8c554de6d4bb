// Which cases of the test of mishaps go wrong, and how: the test and the library that it loads must agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace deformdiff {

enum class Mishap { kNone, kCrash, kHang, kExit, kOutOfMemory, kGarbage };

/// One case of a hundred meets with a mishap, by its batch, queries and heads and by the bytes of its first
/// sampling location.
inline Mishap mishap_of(std::initializer_list<std::int64_t> sizes, std::span<const std::byte> location) {
  std::uint64_t hash = 14695981039346656037U;
  const auto add = [&hash](std::uint64_t number) { hash = (hash ^ number) * 1099511628211U; };
  for (const std::int64_t size : sizes) add(static_cast<std::uint64_t>(size));
  for (const std::byte byte : location) add(static_cast<std::uint64_t>(byte));
  hash ^= hash >> 32U;
  constexpr std::uint64_t kOneOf = 100, kKinds = 5;
  if (hash % kOneOf != 0) return Mishap::kNone;
  return static_cast<Mishap>(1 + hash / kOneOf % kKinds);
}

}  // namespace deformdiff
