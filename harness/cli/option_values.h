// Values of flags as typed.
#pragma once

#include "blocks/levels.h"
#include "engine/shard.h"

#include <cstdint>
#include <string>

namespace deformdiff::cli {

/// "90", "90s", "1.5m", "8h", "200ms" in seconds. Throws InputError naming `flag`.
double parse_duration(const std::string& text, const std::string& flag);

/// A whole number in decimal digits, nothing around it. Throws InputError naming `flag`, also for one below
/// `smallest` or too large for `Number`.
template <typename Number>
Number parse_integer(const std::string& text, const std::string& flag, Number smallest);

/// "1/4", the first of four, as --shard takes it. Throws InputError.
Shard parse_shard(const std::string& text);

/// "256x320", height and width, as --image-size takes it. Throws InputError.
LevelSize parse_image_size(const std::string& text);

}  // namespace deformdiff::cli
