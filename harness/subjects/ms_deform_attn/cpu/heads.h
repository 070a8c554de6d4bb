// The heads of a problem and their bordered maps, some heads at a time.
//
// A head's map holds its channels alone: it is a fraction of `value`, small enough for the inner caches where
// the whole is not, and its pixels do not lie a power of two apart, where they would share a few sets of
// them. A head is computed with all its queries before the next one's map is made in the same memory.
#pragma once

#include "subjects/ms_deform_attn/cpu/instruction_set.h"
#include "subjects/ms_deform_attn/cpu/memory.h"
#include "subjects/ms_deform_attn/cpu/threads.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace deformdiff::worker::ms_deform_attn::cpu {

/// Levels one behind the other in a map.
inline std::vector<BorderedLevel> bordered_levels(const Problem& p) {
  std::vector<BorderedLevel> levels;
  std::int64_t offset = 0;
  for (std::int64_t l = 0; l < p.L; ++l) {
    levels.push_back({p.spatial_shapes[2 * l], p.spatial_shapes[2 * l + 1], p.level_start_index[l], offset});
    offset += levels.back().pixels() * padded_channels(p.D);
  }
  return levels;
}

/// Parts worth a thread of their own, of a number of multiply-adds each: about 20 us of work.
inline std::int64_t grain_of(std::int64_t multiply_adds) {
  constexpr std::int64_t kEnough = 1 << 17;
  return std::max<std::int64_t>(1, kEnough / std::max<std::int64_t>(1, multiply_adds));
}

template <typename T>
class Heads {
 public:
  Heads(const Problem& problem, const Threads& threads, const Kernels<T>& kernels)
      : p_(problem), threads_(threads), kernels_(kernels), levels_(bordered_levels(problem)) {
    for (const BorderedLevel& level : levels_) {
      pixels_ += level.pixels();
      lines_ += level.height;
    }
  }

  std::int64_t elements() const { return pixels_ * padded_channels(p_.D); }  ///< of a map
  std::int64_t count() const { return p_.N * p_.M; }
  /// Whether maps pay: whether their pixels are read as often as it takes to make them. Both ways give the
  /// same output, bit for bit; the gradients are sums in another order.
  bool are_read_often() const { return 4 * p_.Q * p_.L * p_.P >= pixels_; }
  /// How many are computed at once.
  std::int64_t at_once() const { return std::min<std::int64_t>(count(), threads_.count); }

  /// Calls work(head, begin, end, task) for parts [begin, end) of the `items` items of each of the heads
  /// [first, first + heads).
  template <typename Function>
  void for_items(std::int64_t first, std::int64_t heads, std::int64_t items, std::int64_t grain,
                 const Function& work) const {
    if (items == 0) return;
    threads_.for_parts(heads * items, grain, [&](std::int64_t begin, std::int64_t end) {
      const Memory<std::byte> workspace(kernels_.workspace_bytes(p_));
      for (std::int64_t i = begin, last; i < end; i = last) {
        const std::int64_t offset = i / items, head = first + offset;
        last = std::min(end, (offset + 1) * items);
        work(head, i - offset * items, last - offset * items,
             HeadTask{head / p_.M, head % p_.M, levels_.data(), workspace.get()});
      }
    });
  }

  /// Whether threads that take whole heads end at about the same time: then none waits for another before.
  bool spread_evenly() const { return count() % threads_.count == 0 || count() >= 8 * threads_.count; }

  /// Calls work(task, maps) for every head, of which the first of `maps` maps is filled; `multiply_adds` of
  /// each.
  template <typename Function>
  void for_heads(std::int64_t multiply_adds, std::int64_t maps, const Function& work) const {
    threads_.for_parts(count(), grain_of(multiply_adds), [&](std::int64_t begin, std::int64_t end) {
      const Memory<std::byte> workspace(kernels_.workspace_bytes(p_));
      const Memory<T> memory(maps * elements());
      std::memset(memory.get(), 0, static_cast<std::size_t>(elements()) * sizeof(T));
      for (std::int64_t head = begin; head < end; ++head) {
        const HeadTask task{head / p_.M, head % p_.M, levels_.data(), workspace.get()};
        for (std::int64_t l = 0; l < p_.L; ++l) {
          kernels_.fill_map(p_, task, l, 0, levels_[static_cast<std::size_t>(l)].height, memory.get());
        }
        work(task, memory.get());
      }
    });
  }

  /// Zeros, of which fill() leaves the borders.
  void clear(std::int64_t heads, T* maps) const {
    threads_.for_parts(heads, grain_of(elements() / 4), [&](std::int64_t begin, std::int64_t end) {
      std::memset(maps + begin * elements(), 0,
                  static_cast<std::size_t>((end - begin) * elements()) * sizeof(T));
    });
  }

  /// The maps of the heads [first, first + heads).
  void fill(std::int64_t first, std::int64_t heads, T* maps) const {
    const std::int64_t per_line = lines_ == 0 ? 0 : elements() / lines_;
    for_items(first, heads, lines_, grain_of(4 * per_line),
              [&](std::int64_t head, std::int64_t begin, std::int64_t end, const HeadTask& task) {
                std::int64_t line = 0;  // the level's first one
                for (std::int64_t l = 0; l < p_.L; line += levels_[static_cast<std::size_t>(l++)].height) {
                  const std::int64_t from = std::max(begin - line, std::int64_t{0});
                  const std::int64_t to = std::min(end - line, levels_[static_cast<std::size_t>(l)].height);
                  if (from < to) kernels_.fill_map(p_, task, l, from, to, maps + (head - first) * elements());
                }
              });
  }

 private:
  const Problem& p_;
  const Threads& threads_;
  const Kernels<T>& kernels_;
  std::vector<BorderedLevel> levels_;
  std::int64_t pixels_ = 0, lines_ = 0;
};

}  // namespace deformdiff::worker::ms_deform_attn::cpu
