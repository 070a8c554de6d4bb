#include "emulation/shadow.h"

#include <algorithm>
#include <utility>

namespace deformdiff::emulation {

void Shadow::clear() {
  for (auto& page : pages_) {
    if (page != nullptr) page->fill(Cell{});
  }
}

std::optional<Conflict> Shadow::access(std::size_t offset, std::size_t bytes, AccessKind kind,
                                       const Observer& observer) {
  refine(offset, bytes);
  const std::size_t end = (offset + bytes) >> shift_;
  for (std::size_t index = offset >> shift_; index < end; ++index) {
    if (const auto conflict = visit(cell(index), kind, observer)) return conflict;
  }
  return std::nullopt;
}

bool Shadow::written_since(std::size_t offset, std::size_t bytes, std::uint64_t time) {
  refine(offset, bytes);
  const std::size_t end = (offset + bytes) >> shift_;
  for (std::size_t index = offset >> shift_; index < end; ++index) {
    if (cell(index).write.time() < time) return false;
  }
  return true;
}

Moment Shadow::Group::conflict(const Observer& observer) const {
  if (!observer.follows(last)) return last;
  if (!observer.follows(before)) return before;
  return other_block;
}

void Shadow::Group::add(const Observer& observer) {
  const Moment now = observer.now;
  if (last && last.time() < observer.block_start) {
    other_block = last;
    last = before = {};
  }
  if (last && last.thread() != now.thread()) {
    const bool keep_before = last.warp() == now.warp() && before.time() >= observer.last_barrier && before &&
                             before.warp() != now.warp();
    if (!keep_before) before = last;
  }
  last = now;
}

Shadow::Cell& Shadow::cell(std::size_t index) {
  const std::size_t page = index / kPageCells;
  if (page >= pages_.size()) pages_.resize(page + 1);
  if (pages_[page] == nullptr) pages_[page] = std::make_unique<Page>();
  return (*pages_[page])[index % kPageCells];
}

/// Cells small enough for an access to cover whole ones.
void Shadow::refine(std::size_t offset, std::size_t bytes) {
  while (((offset | bytes) & ((std::size_t{1} << shift_) - 1)) != 0) halve();
}

/// Two cells for each, with the same history: who touched a cell has touched all of its bytes.
void Shadow::halve() {
  std::vector<std::unique_ptr<Page>> finer(pages_.size() * 2);
  for (std::size_t page = 0; page < pages_.size(); ++page) {
    if (pages_[page] == nullptr) continue;
    for (std::size_t half = 0; half < 2; ++half) {
      finer[2 * page + half] = std::make_unique<Page>();
      for (std::size_t i = 0; i < kPageCells; ++i) {
        (*finer[2 * page + half])[i] = (*pages_[page])[half * kPageCells / 2 + i / 2];
      }
    }
  }
  pages_ = std::move(finer);
  --shift_;
}

std::optional<Conflict> Shadow::visit(Cell& cell, AccessKind kind, const Observer& observer) {
  if (!observer.follows(cell.write)) return Conflict{cell.write, AccessKind::kWrite};
  if (kind != AccessKind::kRead) {
    if (const Moment read = cell.reads.conflict(observer)) {
      return Conflict{read, AccessKind::kRead};
    }
  }
  if (kind != AccessKind::kAtomic) {
    if (const Moment atomic = cell.atomics.conflict(observer)) {
      return Conflict{atomic, AccessKind::kAtomic};
    }
  }
  switch (kind) {
    case AccessKind::kRead:
      cell.reads.add(observer);
      break;
    case AccessKind::kAtomic:
      cell.atomics.add(observer);
      break;
    case AccessKind::kWrite:
      // What lies behind this write lies behind whatever lies behind it.
      cell = {.write = observer.now, .reads = {}, .atomics = {}};
      break;
  }
  return std::nullopt;
}

}  // namespace deformdiff::emulation
