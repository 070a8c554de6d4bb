// Shadow memory: which threads of a launch have touched each cell of a region, and when. Two accesses to a
// cell race unless both are reads, both are atomic, or a barrier lies between them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace deformdiff::emulation {

enum class AccessKind : std::uint8_t { kRead, kWrite, kAtomic };

/// A thread of a block at a time; 0 is nobody. Time grows over a whole launch, whose blocks run one after
/// the other, so that it also says which block.
class Moment {
 public:
  Moment() = default;
  Moment(unsigned thread, std::uint64_t time) : bits_(time << 10 | thread) {}
  explicit operator bool() const { return bits_ != 0; }
  unsigned thread() const { return bits_ & 1023; }
  unsigned warp() const { return thread() / 32; }
  unsigned lane() const { return thread() % 32; }
  std::uint64_t time() const { return bits_ >> 10; }

 private:
  std::uint64_t bits_ = 0;
};

/// What a thread knows of the others when it accesses memory.
struct Observer {
  Moment now;
  std::uint64_t block_start;   ///< earlier moments are of other blocks
  std::uint64_t last_barrier;  ///< moments of the block before it lie behind its last __syncthreads
  /// Of each lane of the thread's warp, the last time that a __syncwarp has put behind it.
  const std::array<std::uint64_t, 32>* warp;

  bool follows(Moment earlier) const {
    if (!earlier) return true;
    if (earlier.time() < block_start) return false;
    if (earlier.time() < last_barrier || earlier.thread() == now.thread()) return true;
    return earlier.warp() == now.warp() && earlier.time() <= (*warp)[earlier.lane()];
  }
};

struct Conflict {
  Moment other;
  AccessKind kind;  ///< what the other did
};

/// The shadow of a region, made where it is touched. A cell covers as many bytes as the smallest access
/// until then did, 8 at first.
class Shadow {
 public:
  /// Nobody has touched anything.
  void clear();

  /// Records an access at `offset`; gives the access that it races with, if any.
  std::optional<Conflict> access(std::size_t offset, std::size_t bytes, AccessKind kind,
                                 const Observer& observer);

  /// Whether each of the bytes was written since `time`.
  bool written_since(std::size_t offset, std::size_t bytes, std::uint64_t time);

 private:
  /// The last two threads of a block that did something (of two warps where there are two), and one of an
  /// earlier block.
  struct Group {
    Moment last, before, other_block;
    Moment conflict(const Observer& observer) const;
    void add(const Observer& observer);
  };
  struct Cell {
    Moment write;
    Group reads, atomics;
  };
  static constexpr std::size_t kPageCells = 128;
  using Page = std::array<Cell, kPageCells>;

  Cell& cell(std::size_t index);
  void refine(std::size_t offset, std::size_t bytes);
  void halve();
  static std::optional<Conflict> visit(Cell& cell, AccessKind kind, const Observer& observer);

  unsigned shift_ = 3;
  std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace deformdiff::emulation
