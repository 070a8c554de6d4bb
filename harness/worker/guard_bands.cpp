#include "worker/guard_bands.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace deformdiff::worker {
namespace {

/// NaN as float16 and bfloat16, twice as a float, and four times as a double; large as an integer.
constexpr std::uint64_t kPattern = 0x7FFF'7FFF'7FFF'7FFF;

}  // namespace

void fill_band(std::byte* band, std::size_t bytes) {
  const std::size_t head = std::min(bytes, sizeof kPattern);
  std::memcpy(band, &kPattern, head);
  // Each copy doubles what is there; the pattern repeats every two bytes.
  for (std::size_t done = head; done < bytes;) {
    const std::size_t piece = std::min(done, bytes - done);
    std::memcpy(band + done, band, piece);
    done += piece;
  }
}

bool is_whole_band(const std::byte* band, std::size_t bytes) {
  const std::size_t head = std::min(bytes, sizeof kPattern);
  return std::memcmp(band, &kPattern, head) == 0 && std::memcmp(band, band + head, bytes - head) == 0;
}

}  // namespace deformdiff::worker
