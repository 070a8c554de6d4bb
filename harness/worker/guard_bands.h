// Guard bands: memory beside what an implementation is given. It may not write there, and what it reads there
// is NaN in every floating dtype, so that it shows even where it is multiplied by 0.
#pragma once

#include <cstddef>

namespace deformdiff::worker {

/// Also written over what an implementation handed out, once it has been looked at. Other NaNs than the
/// poison.
void fill_band(std::byte* band, std::size_t bytes);

/// Whether it is as fill_band() left it.
bool is_whole_band(const std::byte* band, std::size_t bytes);

}  // namespace deformdiff::worker
