// A fingerprint of what a case gives to an implementation.
#pragma once

#include "core/case.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace deformdiff {

/// Of block, attributes and inputs (dtype, shape, strides, offset, storage bytes), not of the provenance.
/// The same on every little-endian machine.
std::uint64_t content_hash(const Case& c);

/// Bytes after what `start` is the hash of.
std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t start = 0);

}  // namespace deformdiff
