#include "engine/batch.h"

#include <algorithm>

namespace deformdiff {

void BatchSource::go_on_at(std::uint64_t first, std::uint64_t end) {
  if (first != next_) waiting_.reset();
  next_ = first;
  end_ = end;
}

Batch BatchSource::next() {
  Batch batch;
  batch.first = next_;
  std::int64_t bytes = 0;
  while (next_ < end_ && batch.cases.size() < size_) {
    if (!waiting_) waiting_ = generator_.generate(choice_, next_);
    bytes += storage_bytes(*waiting_);
    if (bytes > kBatchBytes && !batch.cases.empty()) break;
    batch.cases.push_back(std::move(*waiting_));
    waiting_.reset();
    ++next_;
  }
  size_ = std::min(2 * size_, kBatchCases);
  return batch;
}

}  // namespace deformdiff
