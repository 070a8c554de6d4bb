// The host kernel's source, compiled once for each instruction set. The including file defines
// DEFORMDIFF_CPU_ROWS (name of the variant) and DEFORMDIFF_VECTOR_BYTES (width of its registers).
//
// Everything is in an unnamed namespace and nothing of the standard library is called: see plan.h.

#include "subjects/ms_deform_attn/cpu/kernel.h"
#include "subjects/ms_deform_attn/cpu/plan.h"

namespace deformdiff::worker::ms_deform_attn {
namespace {

template <typename T>
void fill_tables(const ForwardArguments<T>& a, const CpuPlan<T>& plan) {
  std::int64_t sample = 0;
  for (std::int64_t m = 0; m < a.M; ++m) {
    for (std::int64_t l = 0; l < a.L; ++l) {
      for (std::int64_t p = 0; p < a.P; ++p, ++sample) {
        plan.height[sample] = static_cast<std::int32_t>(a.spatial_shapes[2 * l]);
        plan.width[sample] = static_cast<std::int32_t>(a.spatial_shapes[2 * l + 1]);
        plan.base[sample] = (a.level_start_index[l] * a.M + m) * a.D;
      }
    }
  }
  for (std::int64_t c = 0; c < a.D; ++c) plan.zeros[c] = 0;
}

/// Coordinates and corner weights of all samples of one query: no branches, so that it vectorises. A
/// sample out of range, or at a location that is not finite, gets weight 0 and corners outside the map;
/// its attention weight, which may be anything, takes no part.
template <typename T>
void plan_weights(const T* __restrict location, const T* __restrict attention, std::int64_t samples,
                  const CpuPlan<T>& plan) {
  constexpr std::int32_t kOutside = -2;
  const std::int32_t* __restrict widths = plan.width;
  const std::int32_t* __restrict heights = plan.height;
  std::int32_t* __restrict column = plan.x;
  std::int32_t* __restrict row = plan.y;
  T* __restrict upper_left = plan.corner[0];
  T* __restrict upper_right = plan.corner[1];
  T* __restrict lower_left = plan.corner[2];
  T* __restrict lower_right = plan.corner[3];
  T* __restrict weight = plan.weight;
  for (std::int64_t s = 0; s < samples; ++s) {
    const T width = static_cast<T>(widths[s]);
    const T height = static_cast<T>(heights[s]);
    const T x = location[2 * s] * width - T(0.5);
    const T y = location[2 * s + 1] * height - T(0.5);
    const bool in = (x > T(-1)) & (x < width) & (y > T(-1)) & (y < height);
    const T x_in = in ? x : T(0);
    const T y_in = in ? y : T(0);
    // floor() by truncation: exact, since both are between -1 and 2^31.
    std::int32_t x0 = static_cast<std::int32_t>(x_in);
    std::int32_t y0 = static_cast<std::int32_t>(y_in);
    x0 -= x_in < static_cast<T>(x0);
    y0 -= y_in < static_cast<T>(y0);
    const T right = x_in - static_cast<T>(x0);
    const T lower = y_in - static_cast<T>(y0);
    const T left = T(1) - right;
    const T upper = T(1) - lower;
    upper_left[s] = upper * left;
    upper_right[s] = upper * right;
    lower_left[s] = lower * left;
    lower_right[s] = lower * right;
    weight[s] = in ? attention[s] : T(0);
    column[s] = in ? x0 : kOutside;
    row[s] = in ? y0 : kOutside;
  }
}

/// The first two cache lines at `channels`, 32 of them in float32. Large maps lie beyond the inner caches,
/// and a query's pixels are known long before they are summed.
template <typename T>
void fetch_ahead(const T* channels) {
  __builtin_prefetch(channels);
  __builtin_prefetch(channels + 64 / sizeof(T));
}

/// Where the corners' channels lie. A corner outside the map reads zeros: with its weight, which is
/// finite, it adds exactly 0.
template <typename T>
void plan_pixels(const T* value, std::int64_t samples, std::int64_t pitch, const CpuPlan<T>& plan) {
  for (std::int64_t s = 0; s < samples; ++s) {
    const std::int64_t width = plan.width[s];
    const std::int64_t height = plan.height[s];
    const std::int64_t x = plan.x[s];
    const std::int64_t y = plan.y[s];
    const std::int64_t first = plan.base[s] + (y * width + x) * pitch;
    const std::int64_t offset[4] = {first, first + pitch, first + width * pitch, first + (width + 1) * pitch};
    const bool left = x >= 0 && x < width, right = x + 1 >= 0 && x + 1 < width;
    const bool upper = y >= 0 && y < height, lower = y + 1 >= 0 && y + 1 < height;
    const bool inside[4] = {upper && left, upper && right, lower && left, lower && right};
    for (int k = 0; k < 4; ++k) {
      plan.pixel[k][s] = inside[k] ? value + offset[k] : plan.zeros;
      fetch_ahead(plan.pixel[k][s]);
    }
  }
}

/// `Count` vectors of `Lanes` channels each, from channel `c` on, summed over the samples of one head.
template <typename T, int Lanes, int Count>
void accumulate(const CpuPlan<T>& plan, std::int64_t begin, std::int64_t end, std::int64_t c, T* output) {
  using Vector [[gnu::vector_size(Lanes * sizeof(T)), gnu::aligned(alignof(T)), gnu::may_alias]] = T;
  Vector sum[Count] = {};
  for (std::int64_t s = begin; s < end; ++s) {
    const auto* p0 = reinterpret_cast<const Vector*>(plan.pixel[0][s] + c);
    const auto* p1 = reinterpret_cast<const Vector*>(plan.pixel[1][s] + c);
    const auto* p2 = reinterpret_cast<const Vector*>(plan.pixel[2][s] + c);
    const auto* p3 = reinterpret_cast<const Vector*>(plan.pixel[3][s] + c);
    for (int k = 0; k < Count; ++k) {
      sum[k] += plan.weight[s] * (plan.corner[0][s] * p0[k] + plan.corner[1][s] * p1[k] +
                                  plan.corner[2][s] * p2[k] + plan.corner[3][s] * p3[k]);
    }
  }
  auto* out = reinterpret_cast<Vector*>(output + c);
  for (int k = 0; k < Count; ++k) out[k] = sum[k];
}

/// All channels of one head: the widest registers first, then halves of them down to single channels.
template <typename T, int Lanes = DEFORMDIFF_VECTOR_BYTES / sizeof(T)>
void accumulate_head(const CpuPlan<T>& plan, std::int64_t begin, std::int64_t end, std::int64_t channels,
                     T* output, std::int64_t c = 0) {
  for (; c + 4 * Lanes <= channels; c += 4 * Lanes) accumulate<T, Lanes, 4>(plan, begin, end, c, output);
  if (c + 2 * Lanes <= channels) {
    accumulate<T, Lanes, 2>(plan, begin, end, c, output);
    c += 2 * Lanes;
  }
  if (c + Lanes <= channels) {
    accumulate<T, Lanes, 1>(plan, begin, end, c, output);
    c += Lanes;
  }
  if constexpr (Lanes > 1) {
    if (c < channels) accumulate_head<T, Lanes / 2>(plan, begin, end, channels, output, c);
  }
}

}  // namespace

template <typename T>
void DEFORMDIFF_CPU_ROWS(const ForwardArguments<T>& a, std::int64_t begin, std::int64_t end,
                         std::byte* workspace) {
  CpuPlan<T> plan;
  lay_out(a, workspace, plan);
  fill_tables(a, plan);
  const std::int64_t samples_per_head = a.L * a.P;
  const std::int64_t samples = a.M * samples_per_head;
  for (std::int64_t row = begin; row < end; ++row) {
    const T* value = a.value + row / a.Q * a.S * a.M * a.D;
    plan_weights(a.sampling_loc + row * samples * 2, a.attn_weight + row * samples, samples, plan);
    plan_pixels(value, samples, a.M * a.D, plan);
    for (std::int64_t m = 0; m < a.M; ++m) {
      accumulate_head<T>(plan, m * samples_per_head, (m + 1) * samples_per_head, a.D,
                         a.output + (row * a.M + m) * a.D);
    }
  }
}

template void DEFORMDIFF_CPU_ROWS(const ForwardArguments<float>&, std::int64_t, std::int64_t, std::byte*);
template void DEFORMDIFF_CPU_ROWS(const ForwardArguments<double>&, std::int64_t, std::int64_t, std::byte*);

}  // namespace deformdiff::worker::ms_deform_attn
