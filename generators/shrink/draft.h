// A case taken apart so that steps can make it smaller.
#pragma once

#include "generators/common/gather.h"
#include "generators/common/storage_layout.h"

#include <map>
#include <string>

namespace deformdiff {

struct Draft {
  const BlockDefinition* block;
  Case dense;                                            ///< all tensors contiguous
  std::map<std::string, StorageTraits> storage_layouts;  ///< of those that were not
  bool keeps_parameters = false;                         ///< their elements are not to change
};

/// `block` must outlive the draft.
Draft draft_of(const BlockDefinition& block, const Case& c);
Case case_of(const Draft& draft);

/// Whether the block validates the case.
bool is_valid(const BlockDefinition& block, const Case& c);

/// Replaces an input, if the case has it.
void set_input(Case& c, const std::string& name, Tensor tensor);

/// Only `indices` of an extent in every tensor that has it, and in the attribute that fixes it. `extents` are
/// those of the draft.
Draft keep_extent(const Draft& draft, const Extents& extents, const std::string& extent,
                  const Indices& indices);

}  // namespace deformdiff
