// Between `value` and its gradient, where heads lie side by side, and the bordered maps of single heads.
#pragma once

#include "subjects/ms_deform_attn/cpu/kernels.h"
#include "subjects/ms_deform_attn/cpu/vectors.h"

#include <cstring>

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

template <typename T, typename Element>
void fill_from_elements(const Problem& p, const HeadTask& task, const BorderedLevel& level,
                        std::int64_t first, std::int64_t last, T* map) {
  const std::int64_t channels = padded_channels(p.D), pitch = p.M * p.D;
  const std::int64_t begin = task.n * p.S + level.first_row;
  const Element* value = static_cast<const Element*>(p.value) + begin * pitch + task.m * p.D;
  for (std::int64_t y = first; y < last; ++y) {
    const Element* from = value + y * level.width * pitch;
    T* to = map + level.offset + ((y + 1) * level.pitch() + 1) * channels;
    for (std::int64_t x = 0; x < level.width; ++x) copy<T>(from + x * pitch, p.D, to + x * channels);
  }
}

template <typename T>
void fill_map(const Problem& p, const HeadTask& task, std::int64_t l, std::int64_t first, std::int64_t last,
              T* map) {
  with_element<T>(p.value_type, [&]<typename Element>(Element) {
    fill_from_elements<T, Element>(p, task, task.levels[l], first, last, map);
  });
}

/// Row `row` of `value` in a level's map; null if it is not the level's.
template <typename T>
T* pixel_of(const BorderedLevel& level, std::int64_t row, std::int64_t channels, T* map) {
  const std::int64_t i = row - level.first_row;
  if (i < 0 || i >= level.height * level.width) return nullptr;
  return map + level.offset + ((i / level.width + 1) * level.pitch() + i % level.width + 1) * channels;
}

/// The first row behind `row` at which a line of a level begins or ends, or `last`.
std::int64_t end_of_run(const Problem& p, const BorderedLevel* levels, std::int64_t row, std::int64_t last) {
  std::int64_t end = last;
  for (std::int64_t l = 0; l < p.L; ++l) {
    const std::int64_t i = row - levels[l].first_row, width = levels[l].width;
    if (i >= levels[l].height * width) continue;
    const std::int64_t next = i < 0 ? levels[l].first_row : row + width - i % width;
    end = next < end ? next : end;
  }
  return end;
}

template <typename T>
void write_gradients(const BackwardProblem& p, const HeadTask& task, std::int64_t first, std::int64_t last,
                     T* gradients) {
  const std::int64_t channels = padded_channels(p.D);
  for (std::int64_t row = first, end; row < last; row = end) {
    end = end_of_run(p, task.levels, row, last);
    T* sum = nullptr;
    for (std::int64_t l = 0; l < p.L; ++l) {
      T* pixel = pixel_of(task.levels[l], row, channels, gradients);
      if (pixel == nullptr) continue;
      if (sum == nullptr) {
        sum = pixel;
        continue;
      }
      for_vectors<kLanes<T>>((end - row) * channels, [&]<int Lanes>(std::int64_t c) {
        store<T, Lanes>(load<T, Lanes>(sum + c) + load<T, Lanes>(pixel + c), sum + c);
      });
    }
    for (std::int64_t i = 0; i < end - row; ++i) {
      const std::int64_t to = ((task.n * p.S + row + i) * p.M + task.m) * p.D;
      if (sum != nullptr) {
        write_elements(p.value_type, sum + i * channels, p.D, p.grad_value, to);
      } else {
        std::memset(static_cast<char*>(p.grad_value) + to * bytes_of(p.value_type), 0,
                    p.D * bytes_of(p.value_type));
      }
    }
  }
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn::cpu
