// Products of doubles as compensated dot products, which give twice double's precision: Ogita, Rump, Oishi,
// Accurate sum and dot product, SIAM J. Sci. Comput. 26 (2005), algorithm 5.3 (Dot2). Without contraction.
#include "oracles/arithmetic/lanes.h"
#include "oracles/operations/product.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace deformdiff::operation {
namespace {

/// Rows [first, first + 2) of a block in extended precision, for machines without FMA.
void plain(const double* a, const double* b, std::int64_t length, std::int64_t first, long double* out) {
  for (std::int64_t r = first; r < first + 2; ++r) {
    for (std::int64_t c = 0; c < kColumnsAtOnce; ++c) {
      long double sum = 0;
      for (std::int64_t k = 0; k < length; ++k) {
        sum += static_cast<long double>(a[k * kRowsAtOnce + r]) * b[k * kColumnsAtOnce + c];
      }
      out[r * kColumnsAtOnce + c] = sum;
    }
  }
}

#if defined(__x86_64__) && defined(__GNUC__)

/// A sum and what its roundings lost.
struct Compensated {
  __m256d sum, lost;
};

/// TwoProduct by FMA, TwoSum by Knuth: every operation's error is found exactly.
[[gnu::target("avx2,fma"), gnu::always_inline]] inline void add_product(Compensated& to, __m256d a,
                                                                        __m256d b) {
  const __m256d product = _mm256_mul_pd(a, b);
  const __m256d product_error = _mm256_fmsub_pd(a, b, product);
  const __m256d sum = _mm256_add_pd(to.sum, product);
  const __m256d part = _mm256_sub_pd(sum, to.sum);
  const __m256d sum_error =
      _mm256_add_pd(_mm256_sub_pd(to.sum, _mm256_sub_pd(sum, part)), _mm256_sub_pd(product, part));
  to.sum = sum;
  to.lost = _mm256_add_pd(to.lost, _mm256_add_pd(product_error, sum_error));
}

[[gnu::target("avx2,fma")]] void compensated(const double* a, const double* b, std::int64_t length,
                                             std::int64_t first, long double* out) {
  Compensated low0{}, high0{}, low1{}, high1{};
  for (std::int64_t k = 0; k < length; ++k) {
    const __m256d low = _mm256_loadu_pd(b + k * kColumnsAtOnce),
                  high = _mm256_loadu_pd(b + k * kColumnsAtOnce + 4);
    const __m256d row0 = _mm256_broadcast_sd(a + k * kRowsAtOnce + first);
    const __m256d row1 = _mm256_broadcast_sd(a + k * kRowsAtOnce + first + 1);
    add_product(low0, row0, low);
    add_product(high0, row0, high);
    add_product(low1, row1, low);
    add_product(high1, row1, high);
  }
  const auto store = [out](const Compensated& from, std::int64_t at) {
    double sum[4], lost[4];
    std::memcpy(sum, &from.sum, sizeof sum);
    std::memcpy(lost, &from.lost, sizeof lost);
    for (std::int64_t i = 0; i < 4; ++i) out[at + i] = static_cast<long double>(sum[i]) + lost[i];
  };
  store(low0, first * kColumnsAtOnce);
  store(high0, first * kColumnsAtOnce + 4);
  store(low1, (first + 1) * kColumnsAtOnce);
  store(high1, (first + 1) * kColumnsAtOnce + 4);
}

#endif

}  // namespace

void multiply_values(const double* a, const double* b, std::int64_t length, long double* out) {
  static_assert(kRowsAtOnce % 2 == 0 && kColumnsAtOnce == 8);
  for (std::int64_t first = 0; first < kRowsAtOnce; first += 2) {
#if defined(__x86_64__) && defined(__GNUC__)
    if (kLevel != Level::kBase) {
      compensated(a, b, length, first, out);
      continue;
    }
#endif
    plain(a, b, length, first, out);
  }
}

}  // namespace deformdiff::operation
