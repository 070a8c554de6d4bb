// What the trigger classes of deep blocks are decided by.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/levels.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// A case looked at: its sizes, and questions about its elements.
class DeepFacts {
 public:
  DeepFacts(const BlockDefinition& block, const Case& c);

  const Case& problem() const { return case_; }

  /// 0 where the block has no such extent or attribute.
  std::int64_t extent(const std::string& name) const;
  double attribute(const std::string& name) const;
  bool is_default(const std::string& attribute) const;
  bool has(const std::string& input) const { return case_.find_input(input) != nullptr; }

  /// Maps that are levels, wherever their sizes stand.
  const std::vector<LevelSize>& levels() const { return levels_; }

  /// Whether `holds` for an element of a tensor whose name ends so.
  bool any_element(std::string_view suffix, const std::function<bool(double)>& holds) const;
  bool all_elements(std::string_view suffix, const std::function<bool(double)>& holds) const;

  /// Whether `holds` for a row (its elements along the last axis) of a tensor whose name ends so.
  bool any_row(std::string_view suffix, const std::function<bool(const std::vector<double>&)>& holds) const;

  bool any_tensor(const std::function<bool(const NamedTensor&)>& holds) const;

 private:
  const Case& case_;
  Extents extents_;
  Attributes defaults_;
  std::vector<LevelSize> levels_;
};

}  // namespace deformdiff
