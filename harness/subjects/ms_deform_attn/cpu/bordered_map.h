// The form in which the kernels read maps: the channels of one head alone, and a border of zeros around each
// level, so that the four pixels of every cell that a point may lie in exist and lie close to each other.
//
// A level of height 2 and width 3, with pixels a to f. Pixels are the padded channels of one head; 0 are
// zeros:
//
//     row -1    0 0 0 0        the column left of a row is also the one right of the row above it
//     row  0    0 a b c
//     row  1    0 d e f
//     row  2    0 0 0 0
//     row  3    0 0
//
// The cell of a point whose upper left pixel is (y, x) is the pixels (y, x), (y, x+1), (y+1, x), (y+1, x+1);
// points in range have y from -1 to height-1 and x from -1 to width-1. The cell (height, -1) holds zeros
// alone: points that take no part are given it.
#pragma once

#include <cstdint>

namespace deformdiff::worker::ms_deform_attn::cpu {

struct BorderedLevel {
  std::int64_t height, width;
  std::int64_t first_row;  ///< of `value`
  std::int64_t offset;     ///< element of the map where pixel (-1, -1) begins

  [[gnu::always_inline]] constexpr std::int64_t pitch() const {
    return width + 1;
  }  ///< pixels from one row to the next
  [[gnu::always_inline]] constexpr std::int64_t pixels() const { return (height + 2) * pitch() + 2; }
};

/// Channels of a pixel in the map, the last ones zeros: as many as vectors of 4, 2 or 1 divide.
[[gnu::always_inline]] constexpr std::int64_t padded_channels(std::int64_t channels) {
  return channels < 3 ? channels : (channels + 3) / 4 * 4;
}

}  // namespace deformdiff::worker::ms_deform_attn::cpu
