// The arrays of one task: those of a block of queries.
#pragma once

#include "subjects/ms_deform_attn/cpu/bordered_map.h"
#include "subjects/ms_deform_attn/cpu/problem.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

/// An integer as wide as T.
template <typename T>
using IntOf = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;

template <typename T>
struct Workspace {
  // Of the points of a block's queries on one level, query by query:
  T* location;            ///< x and y of each, between 0 and 1 on the map
  T* attention;           ///< their weights
  IntOf<T>*column, *row;  ///< of the upper left pixel of their cells
  // The same of all levels, level by level:
  std::int64_t* cell;  ///< elements from the beginning of the level's map to the upper left pixel
  T* weight[4];  ///< attention weight times bilinear weight: upper left, upper right, lower left, lower right
  const void** pixel[4];  ///< in `value`: the channels of these pixels
  std::byte* zeros;       ///< [D] of any type: the channels of pixels outside a map
  T* sums;                ///< [padded channels]: the output of one query
  // Of the backward, on one level:
  T *right, *lower;   ///< how far from the upper left pixels of their cells points lie
  T* grad_output;     ///< [queries, padded channels]
  T* product;         ///< [points, 4]: grad_output times each pixel of the cell, summed over channels
  T* grad_location;   ///< as location
  T* grad_attention;  ///< as attention
  T* spilled;         ///< [D]: what pixels outside a map would get
};

/// Queries of a block: as many as leave the arrays in the innermost cache.
inline std::int64_t block_queries(const Problem& p) {
  constexpr std::int64_t kPoints = 384, kChannels = 4096, kQueries = 64;
  const auto at_most = [](std::int64_t a, std::int64_t b) { return a < b ? a : b; };
  const std::int64_t points = p.L * p.P, channels = padded_channels(p.D);
  const std::int64_t by_points = points == 0 ? kQueries : kPoints / points;
  const std::int64_t by_channels = channels == 0 ? kQueries : kChannels / channels;
  const std::int64_t queries = at_most(at_most(by_points, by_channels), kQueries);
  return queries < 1 ? 1 : queries;
}

/// Sets the arrays to where they lie in `memory`, aligned to 64 bytes, unless it is null. Returns the bytes
/// of all.
template <typename T>
inline std::int64_t lay_out(const Problem& p, std::byte* memory, Workspace<T>& w) {
  const std::int64_t block = block_queries(p), points = block * p.P, all = points * p.L;
  std::int64_t used = 0;
  const auto take = [&]<typename Element>(Element*& array, std::int64_t count) {
    if (memory) array = reinterpret_cast<Element*>(memory + used);
    used += (count * static_cast<std::int64_t>(sizeof(Element)) + 63) / 64 * 64;
  };
  take(w.location, 2 * points);
  take(w.attention, points);
  take(w.column, points);
  take(w.row, points);
  take(w.cell, all);
  for (auto& weight : w.weight) take(weight, all);
  for (auto& pixel : w.pixel) take(pixel, all);
  take(w.zeros, p.D * static_cast<std::int64_t>(sizeof(T)));
  take(w.sums, padded_channels(p.D));
  take(w.right, points);
  take(w.lower, points);
  take(w.grad_output, block * padded_channels(p.D));
  take(w.product, 4 * points);
  take(w.grad_location, 2 * points);
  take(w.grad_attention, points);
  take(w.spilled, p.D);
  return used;
}

template <typename T>
std::int64_t workspace_bytes(const Problem& p) {
  Workspace<T> w{};
  return lay_out<T>(p, nullptr, w);
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn::cpu
