// Sizes at which modules go wrong: of so many levels, of the finest map beside them, and a batch of 2.
#pragma once

#include "check/replay_cases.h"

#include <cstddef>

namespace deformdiff {

ReplaySizes small_sizes(std::size_t levels);  ///< nothing about them is unusual
ReplaySizes levels_of_one_row(std::size_t levels);
ReplaySizes levels_of_one_column(std::size_t levels);
ReplaySizes levels_of_one_pixel(std::size_t levels);
ReplaySizes finest_of_one_row(std::size_t levels);
ReplaySizes finest_of_one_column(std::size_t levels);
ReplaySizes same_everywhere(std::size_t levels);
ReplaySizes levels_half_as_large(std::size_t levels);   ///< as the finest map
ReplaySizes levels_twice_as_large(std::size_t levels);  ///< as the finest map
ReplaySizes of_many_rows(std::size_t levels);           ///< 260: more than a byte counts
ReplaySizes of_many_columns(std::size_t levels);
ReplaySizes of_very_many_rows(std::size_t levels);  ///< 2100: more than float16 counts
ReplaySizes of_very_many_columns(std::size_t levels);
ReplaySizes of_257_pixels(std::size_t levels);  ///< all maps: what a byte counts as 1
ReplaySizes twin_levels(std::size_t levels);    ///< each has the sides of the one before, exchanged

}  // namespace deformdiff
