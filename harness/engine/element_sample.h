// A few of many elements, drawn evenly while they are met.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace deformdiff {

/// Keeps the elements with the lowest numbers drawn: a sample without replacement whatever their order, and
/// the same one each time where the draws are.
class ElementSample {
 public:
  static constexpr std::size_t kMost = 16;

  void add(std::int64_t element, std::uint64_t drawn);

  std::vector<std::int64_t> elements() const;  ///< ascending

 private:
  std::vector<std::pair<std::uint64_t, std::int64_t>> lowest_;  ///< a heap with the largest in front
};

}  // namespace deformdiff
