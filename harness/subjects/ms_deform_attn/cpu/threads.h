// How the operator's work is spread over threads.
#pragma once

#include <cstdint>
#include <functional>

namespace deformdiff::worker::ms_deform_attn::cpu {

using Work = std::function<void(std::int64_t begin, std::int64_t end)>;

struct Threads {
  int count;
  /// Calls work for parts of [0, count), on several threads if there is more than `grain` to do.
  std::function<void(std::int64_t count, std::int64_t grain, const Work& work)> for_parts;
};

}  // namespace deformdiff::worker::ms_deform_attn::cpu
