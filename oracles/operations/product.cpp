// Compiled with contraction: it changes only the oracle's own error, which is far below every bound.
#include "oracles/operations/product.h"

#include "oracles/lanes.h"

namespace deformdiff::operation {
namespace {

/// 32 bytes: one register of AVX2, cut in two for SSE2.
template <typename S>
struct VectorOf;
template <>
struct VectorOf<double> {
  using Type = double __attribute__((vector_size(32)));
};
template <>
struct VectorOf<float> {
  using Type = float __attribute__((vector_size(32)));
};
template <typename S>
using Vector = typename VectorOf<S>::Type;

/// out[r][c] = sum over k of a[k][r] b[k][c].
struct SumProducts {
  template <typename S>
  DEFORMDIFF_INLINE static void run(const S* a, const S* b, std::int64_t length, S* out) {
    constexpr std::int64_t kWidth = sizeof(Vector<S>) / sizeof(S), kVectors = kColumnsAtOnce / kWidth;
    Vector<S> sums[kRowsAtOnce][kVectors] = {};
    for (std::int64_t k = 0; k < length; ++k) {
      Vector<S> right[kVectors];
      std::memcpy(right, b + k * kColumnsAtOnce, sizeof right);
#pragma GCC unroll 6
      for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
        const S left = a[k * kRowsAtOnce + r];
#pragma GCC unroll 2
        for (std::int64_t v = 0; v < kVectors; ++v) sums[r][v] += left * right[v];
      }
    }
    std::memcpy(out, sums, sizeof sums);
  }
};

}  // namespace

template <typename T>
Packed<T>::Packed(std::int64_t vectors, std::int64_t length, std::int64_t at_once)
    : vectors_(vectors),
      length_(length),
      at_once_(at_once),
      values_(static_cast<std::size_t>((vectors + at_once - 1) / at_once * at_once * length)),
      magnitudes_(values_.size()),
      summaries_(static_cast<std::size_t>(vectors)) {}

template <typename T>
void Packed<T>::finish() {
  for (std::int64_t vector = 0; vector < vectors_; ++vector) {
    Summary& summary = summaries_[static_cast<std::size_t>(vector)];
    std::size_t at = place(vector, 0);
    for (std::int64_t k = 0; k < length_; ++k, at += static_cast<std::size_t>(at_once_)) {
      const double magnitude = magnitudes_[at];
      summary.nonzero += magnitude != 0 ? 1 : 0;
      summary.finite = summary.finite && magnitude <= std::numeric_limits<double>::max();
      summary.largest = std::max(summary.largest, magnitude);
    }
  }
}

template class Packed<float>;
template class Packed<double>;

void multiply(const Packed<float>& rows, std::int64_t row_group, const Packed<float>& columns,
              std::int64_t column_group, Block<float>& block) {
  run_on_lanes<SumProducts>(rows.values(row_group), columns.values(column_group), rows.length(),
                            block.values);
  run_on_lanes<SumProducts>(rows.magnitudes(row_group), columns.magnitudes(column_group), rows.length(),
                            block.magnitudes);
}

void multiply(const Packed<double>& rows, std::int64_t row_group, const Packed<double>& columns,
              std::int64_t column_group, Block<double>& block) {
  const double* a = rows.values(row_group);
  const double* b = columns.values(column_group);
  for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
    for (std::int64_t c = 0; c < kColumnsAtOnce; c += 4) {
      long double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
      for (std::int64_t k = 0; k < rows.length(); ++k) {
        const long double left = a[k * kRowsAtOnce + r];
        const double* right = b + k * kColumnsAtOnce + c;
        s0 += left * right[0];
        s1 += left * right[1];
        s2 += left * right[2];
        s3 += left * right[3];
      }
      long double* out = block.values + r * kColumnsAtOnce + c;
      out[0] = s0;
      out[1] = s1;
      out[2] = s2;
      out[3] = s3;
    }
  }
  run_on_lanes<SumProducts>(rows.magnitudes(row_group), columns.magnitudes(column_group), rows.length(),
                            block.magnitudes);
}

}  // namespace deformdiff::operation
