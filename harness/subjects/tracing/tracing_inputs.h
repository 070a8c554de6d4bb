// What a module is traced on: never the values that it is judged on, and other sizes where a trace must
// follow them.
#pragma once

#include "subjects/subject.h"

#include <vector>

namespace deformdiff::worker {

/// How the sizes that a module is traced on differ from the case's.
enum class TracingSizes {
  kSame,
  kOther,       ///< another batch, other numbers of queries and tokens, other maps, none of them large
  kTransposed,  ///< each map with its sides swapped: as many tokens, and every check of shapes passes
  kBatchOfOne,  ///< the same maps, one image
};

/// One tensor for each input of the call, parameters as they are. Which sizes may differ, and how, follows
/// from the block's definition; the operator by itself is always traced on the case's own. Throws
/// c10::NotImplementedError for a block that has no definition, and where the case has nothing to trace: an
/// extent of 0.
std::vector<at::Tensor> tracing_inputs(const Call& call, TracingSizes sizes);

}  // namespace deformdiff::worker
