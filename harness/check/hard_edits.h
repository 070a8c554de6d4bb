// What makes an ordinary case one at which modules go wrong.
#pragma once

#include "check/replay_cases.h"
#include "engine/block_entry.h"

#include <string_view>

namespace deformdiff {

struct EditContext {
  const BlockEntry& entry;
  const ReplaySource& source;
  int threads;

  bool takes(std::string_view input) const { return source.module_inputs.contains(std::string(input)); }
};

/// Changes a case, or only looks at it; false where the block or the module has not what it takes.
using Edit = bool (*)(const EditContext&, Case&);

bool resizes(const EditContext&, Case& c);  ///< looks: maps are resized to other maps' sizes, or a given one
bool resizes_masks(const EditContext&, Case& c);         ///< looks: there are masks, and they are resized
bool resizes_levels_alone(const EditContext&, Case& c);  ///< looks: levels are, and there are no masks
bool has_finest(const EditContext&, Case& c);            ///< looks: there is a map that is no level
bool counts_alone(const EditContext&, Case& c);  ///< looks: there are no parameters, and size costs little

/// The first norm of rows is given rows of one number each; norms of groups, uniform maps.
bool equal_rows(const EditContext&, Case& c);

/// The first norm of rows is given rows whose variance is about 1e-5, the usual epsilon; norms of groups,
/// small maps.
bool small_variance(const EditContext&, Case& c);

/// The first norm of rows is given rows around 1000; where that cannot be done, all features are.
bool large_mean(const EditContext&, Case& c);

bool equal_scores(const EditContext&, Case& c);  ///< all keys are alike, to the bit; their values are not
bool large_scores(const EditContext&,
                  Case& c);  ///< their exponentials overflow unless the largest is taken off
bool one_open_key(const EditContext&, Case& c);       ///< of each query; one pixel of each padded image
bool last_image_masked(const EditContext&, Case& c);  ///< half of its keys or columns; nothing of the others
bool one_blocked_key(const EditContext&, Case& c);    ///< of all pixels, or all but one, by the query's sign
bool near_threshold(const EditContext&, Case& c);     ///< mask logits a millionth of ordinary ones
bool cancelling(const EditContext&, Case& c);  ///< mask logits whose neighbours nearly cancel when resized

}  // namespace deformdiff
