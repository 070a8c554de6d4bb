// Compiled with contraction: it changes only the oracle's own error, which is far below every bound.
#include "oracles/operations/product.h"

#include "oracles/arithmetic/lanes.h"

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

template <typename S>
DEFORMDIFF_INLINE Vector<S> load_vector(const S* from) {
  Vector<S> vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}
template <typename S>
DEFORMDIFF_INLINE void store_vector(Vector<S> vector, S* to) {
  std::memcpy(to, &vector, sizeof vector);
}

/// out[r][c] = sum over k of a[k][r] b[k][c]. The sums stay in registers: no address of theirs is taken.
struct SumProducts {
  template <typename S>
  DEFORMDIFF_INLINE static void run(const S* a, const S* b, std::int64_t length, S* out) {
    constexpr std::int64_t kWidth = sizeof(Vector<S>) / sizeof(S), kVectors = kColumnsAtOnce / kWidth;
    Vector<S> sums[kRowsAtOnce][kVectors] = {};
    for (std::int64_t k = 0; k < length; ++k) {
      Vector<S> right[kVectors];
#pragma GCC unroll 2
      for (std::int64_t v = 0; v < kVectors; ++v) right[v] = load_vector(b + k * kColumnsAtOnce + v * kWidth);
#pragma GCC unroll 6
      for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
        const S left = a[k * kRowsAtOnce + r];
#pragma GCC unroll 2
        for (std::int64_t v = 0; v < kVectors; ++v) sums[r][v] += left * right[v];
      }
    }
#pragma GCC unroll 6
    for (std::int64_t r = 0; r < kRowsAtOnce; ++r) {
#pragma GCC unroll 2
      for (std::int64_t v = 0; v < kVectors; ++v) {
        Vector<S> sum = sums[r][v];
        store_vector<S>(sum, out + r * kColumnsAtOnce + v * kWidth);
      }
    }
  }
};

}  // namespace

template <typename T, std::int64_t kAtOnce>
Packed<T, kAtOnce>::Packed(std::int64_t vectors, std::int64_t length)
    : vectors_(vectors),
      length_(length),
      values_(static_cast<std::size_t>((vectors + kAtOnce - 1) / kAtOnce * kAtOnce * length)),
      magnitudes_(values_.size()),
      summaries_(static_cast<std::size_t>(vectors)) {}

template <typename T, std::int64_t kAtOnce>
void Packed<T, kAtOnce>::finish() {
  for (std::int64_t vector = 0; vector < vectors_; ++vector) {
    Summary& summary = summaries_[static_cast<std::size_t>(vector)];
    const T* next = magnitudes_.data() + place(vector, 0);
    T largest = 0;
    std::int64_t nonzero = 0, finite = 0;
    for (std::int64_t k = 0; k < length_; ++k, next += kAtOnce) {
      nonzero += *next != 0 ? 1 : 0;
      finite += *next <= std::numeric_limits<T>::max() ? 1 : 0;
      largest = std::max(largest, *next);
    }
    summary = {static_cast<double>(nonzero), static_cast<double>(largest), finite == length_};
  }
}

template class Packed<float, kRowsAtOnce>;
template class Packed<float, kColumnsAtOnce>;
template class Packed<double, kRowsAtOnce>;
template class Packed<double, kColumnsAtOnce>;

void multiply(const PackedRows<float>& rows, std::int64_t row_group, const PackedColumns<float>& columns,
              std::int64_t column_group, Block<float>& block) {
  run_on_lanes<SumProducts>(rows.values(row_group), columns.values(column_group), rows.length(),
                            block.values);
  run_on_lanes<SumProducts>(rows.magnitudes(row_group), columns.magnitudes(column_group), rows.length(),
                            block.magnitudes);
}

void multiply(const PackedRows<double>& rows, std::int64_t row_group, const PackedColumns<double>& columns,
              std::int64_t column_group, Block<double>& block) {
  multiply_values(rows.values(row_group), columns.values(column_group), rows.length(), block.values);
  run_on_lanes<SumProducts>(rows.magnitudes(row_group), columns.magnitudes(column_group), rows.length(),
                            block.magnitudes);
}

}  // namespace deformdiff::operation
