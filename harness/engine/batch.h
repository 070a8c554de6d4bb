// The stream of cases, cut into batches.
#pragma once

#include "core/generator.h"
#include "engine/deadline.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace deformdiff {

/// Cases of the first batch and of those from the fifth on; in between they double. A subject that loses its
/// worker on every case is given up between batches, so the first are small.
constexpr std::size_t kFirstBatchCases = 4;
constexpr std::size_t kBatchCases = 64;
constexpr std::int64_t kBatchBytes = std::int64_t{32} << 20;

/// Consecutive cases of the stream.
struct Batch {
  std::uint64_t first = 0;  ///< index of cases.front()
  std::vector<Case> cases;
  std::set<std::size_t> outlines{};  ///< positions of those that do not fit, which are not drawn
};

/// Cases first .. end-1 of the stream, in batches of at most kBatchCases and kBatchBytes; a case beyond that
/// is a batch of its own. Where the cuts are changes no result. In place of a case that `fits` refuses by its
/// outline there is that.
class BatchSource {
 public:
  using Fits = std::function<bool(const Case&)>;

  BatchSource(const Generator& generator, StreamChoice choice, std::uint64_t first, std::uint64_t end,
              Fits fits)
      : generator_(generator), choice_(std::move(choice)), next_(first), end_(end), fits_(std::move(fits)) {}

  /// Goes on with cases first .. end-1.
  void go_on_at(std::uint64_t first, std::uint64_t end);

  /// Index of the next case.
  std::uint64_t position() const { return next_; }

  /// Empty at the end. Once the deadline has passed no more than one case.
  Batch next(const Deadline& deadline);

 private:
  const Generator& generator_;
  StreamChoice choice_;
  std::uint64_t next_;
  std::uint64_t end_;
  Fits fits_;
  std::size_t size_ = kFirstBatchCases;
  std::optional<Case> waiting_;  ///< case next_, if it is generated already
  bool is_outline_ = false;      ///< waiting_ is

  void generate();
};

}  // namespace deformdiff
