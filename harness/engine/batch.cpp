#include "engine/batch.h"

#include <algorithm>

namespace deformdiff {

void BatchSource::go_on_at(std::uint64_t first, std::uint64_t end) {
  if (first != next_) waiting_.reset();
  next_ = first;
  end_ = end;
}

void BatchSource::generate() {
  waiting_ = generator_.outline(choice_, next_);
  is_outline_ = waiting_ && !fits_(*waiting_);
  if (!is_outline_) waiting_ = generator_.generate(choice_, next_);
}

Batch BatchSource::next(const Deadline& deadline) {
  Batch batch;
  batch.first = next_;
  std::int64_t bytes = 0;
  while (next_ < end_ && batch.cases.size() < size_) {
    if (!batch.cases.empty() && deadline.passed()) break;
    if (!waiting_) generate();
    bytes += storage_bytes(*waiting_);
    if (bytes > kBatchBytes && !batch.cases.empty()) break;
    if (is_outline_) batch.outlines.insert(batch.cases.size());
    batch.cases.push_back(std::move(*waiting_));
    waiting_.reset();
    ++next_;
  }
  size_ = std::min(2 * size_, kBatchCases);
  return batch;
}

}  // namespace deformdiff
