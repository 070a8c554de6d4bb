#include "generators/common/normal_fill.h"

#include "generators/common/numbers.h"

#include <algorithm>
#include <array>

// The same instructions in wider registers where the processor has them: integers and single roundings, so
// the bits are the same. Sanitizers do not get along with the dispatch, which runs before them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define DEFORMDIFF_WIDEST_VECTORS \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DEFORMDIFF_WIDEST_VECTORS
#endif

namespace deformdiff {
namespace {

constexpr std::size_t kBlock = 256;

}  // namespace

DEFORMDIFF_WIDEST_VECTORS
void fill_normal(const CounterRandom& random, std::size_t count, double* out) {
  const CounterRandom words = random;
  for (std::size_t i = 0; i < count; ++i) out[i] = normal(words.bits(i));
}

DEFORMDIFF_WIDEST_VECTORS
void fill_normal(const CounterRandom& random, std::size_t count, float* out) {
  const CounterRandom words = random;
  std::array<std::uint32_t, 2 * kBlock> halves;
  for (std::size_t first = 0; first < count; first += halves.size()) {
    for (std::size_t i = 0; i < kBlock; ++i) {
      const std::uint64_t word = words.bits(first / 2 + i);
      halves[2 * i] = static_cast<std::uint32_t>(word);
      halves[2 * i + 1] = static_cast<std::uint32_t>(word >> 32);
    }
    const std::size_t filled = std::min(halves.size(), count - first);
    for (std::size_t i = 0; i < filled; ++i) out[first + i] = normal_float(halves[i]);
  }
}

}  // namespace deformdiff
