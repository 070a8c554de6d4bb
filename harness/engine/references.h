// The references that a batch needs of what no implementation has computed: one for each case, each distinct
// declaration among the subjects, and each stage that depends on the case's inputs alone.
#pragma once

#include "core/subject_info.h"
#include "engine/block_entry.h"
#include "engine/stage_values.h"

#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace deformdiff {

/// What of a subject's declaration a reference depends on.
struct ReferenceKey {
  Precision precision;
  Contract contract;
  friend auto operator<=>(const ReferenceKey&, const ReferenceKey&) = default;
};

/// Every floating input is so small that no product of two of them, or of one and an extent, can overflow:
/// the promises about numbers that are not finite then say nothing.
bool is_tame(const Case& c);

/// Subjects with the same key share a reference of the case.
ReferenceKey reference_key(const SubjectInfo& info, bool tame);

class References {
 public:
  /// Both must outlive this.
  References(const BlockEntry& entry, std::span<const Case> cases);

  /// Says that the case at `position` will be judged by this declaration. One without a bound needs none.
  void need(std::size_t position, const SubjectInfo& info);

  /// Evaluates all that is needed: small cases beside each other, large ones with all threads each.
  void evaluate(int threads);

  /// Requires need() of the same, and evaluate() since.
  const SharedReferences& of(std::size_t position, const SubjectInfo& info) const;

 private:
  using Key = std::pair<std::size_t, ReferenceKey>;
  Key key(std::size_t position, const SubjectInfo& info) const;

  const BlockEntry& entry_;
  std::span<const Case> cases_;
  std::vector<bool> tame_;
  std::map<Key, SharedReferences> references_;
};

}  // namespace deformdiff
