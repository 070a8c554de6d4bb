// The end of a run over several blocks: implementations down, blocks across.
#pragma once

#include "engine/session_report.h"

#include <cstddef>
#include <string>
#include <vector>

namespace deformdiff {

/// Of implementations, in the matrix; longer ones are shortened.
constexpr std::size_t kLongestMatrixName = 26;

/// Agreed of judged cases, "-" where nothing could be judged, and each implementation's worst error / bound,
/// with a legend. Variants of an implementation ("traced/op/frozen" of "traced/op") whose cells are the same
/// share a row. At most 80 columns: blocks that find no room stand in a second band.
std::string block_matrix(const std::vector<SubjectReport>& subjects);

}  // namespace deformdiff
