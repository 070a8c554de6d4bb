// The host kernel's workspace: tables of one call, and the plan of one query.
#pragma once

#include "subjects/ms_deform_attn/forward_arguments.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace deformdiff::worker::ms_deform_attn {
// In an unnamed namespace because each instruction set's translation unit needs copies of its own: a shared
// inline function could end up in its AVX-512 form in a program on a processor without AVX-512.
namespace {

/// Arrays over the M*L*P samples of one query, in the order of attn_weight.
template <typename T>
struct CpuPlan {
  // Once a call:
  std::int32_t* width;   ///< of the sample's level
  std::int32_t* height;  ///< likewise
  std::int64_t* base;    ///< element of `value`, in one batch, where the sample's level and head begin
  T* zeros;              ///< [D]
  // Once a query:
  std::int32_t* x;     ///< column of the upper left corner; both columns are outside if the sample is skipped
  std::int32_t* y;     ///< its row
  T* corner[4];        ///< bilinear weights: upper left, upper right, lower left, lower right
  T* weight;           ///< attention weight; 0 if the sample is skipped
  const T** pixel[4];  ///< the corners' channels; a row of zeros for a corner outside
};

constexpr std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// Bytes of the workspace; sets the pointers of `plan` into it unless it is null.
template <typename T>
inline std::int64_t lay_out(const ForwardArguments<T>& a, std::byte* workspace, CpuPlan<T>& p) {
  const std::int64_t samples = a.M * a.L * a.P;
  std::int64_t used = 0;
  const auto take = [&](auto*& array, std::int64_t count) {
    if (workspace) array = reinterpret_cast<std::remove_reference_t<decltype(array)>>(workspace + used);
    used += aligned(count * static_cast<std::int64_t>(sizeof(*array)));
  };
  take(p.width, samples);
  take(p.height, samples);
  take(p.base, samples);
  take(p.x, samples);
  take(p.y, samples);
  for (auto& corner : p.corner) take(corner, samples);
  take(p.weight, samples);
  for (auto& pixel : p.pixel) take(pixel, samples);
  take(p.zeros, a.D);
  return used;
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn
