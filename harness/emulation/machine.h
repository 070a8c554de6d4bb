// Runs one launch: the blocks one after the other, the threads of a block as fibers that change at barriers
// and warp operations only, so that a kernel without any runs as a plain loop.
#pragma once

#include "emulation/memory.h"
#include "emulation/vector_types.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace deformdiff::emulation {

/// What device code knows of its place.
struct Indices {
  uint3 thread, block;
  dim3 block_extent, grid_extent;
};
extern Indices indices;

struct Launch {
  std::string kernel;          ///< for messages
  const void* kernel_address;  ///< tells the module whose static data it may touch
  dim3 grid, block;
  std::size_t shared_bytes;         ///< dynamic
  void (*run_thread)(const void*);  ///< runs the kernel as the current thread
  const void* arguments;            ///< for run_thread
};

/// What lanes do together, with the lanes named in a mask.
enum class WarpOperation : std::uint8_t { kSync, kShuffle, kVote, kReduce };

struct WarpRequest {
  WarpOperation operation;
  std::uint32_t mask;
  std::uint64_t value = 0;  ///< what the lane gives; of a vote 0 or 1
  unsigned source = 0;      ///< of a shuffle: the lane to take from
  std::uint64_t (*combine)(std::uint64_t, std::uint64_t) = nullptr;  ///< of a reduction
};

class Fiber;

class Machine {
 public:
  Machine();
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Runs a launch to its end. Throws KernelError for the first fault.
  void run(const Launch& launch, std::vector<Buffer> buffers, std::uint64_t schedule);

  // For the running kernel; `site` is the code's address, for messages. They do not return to a thread whose
  // fault they report.
  void access(const void* address, std::size_t bytes, AccessKind kind, const void* site);
  void barrier(const void* site);
  /// The shuffled value; the lanes whose vote is not 0; the reduction.
  std::uint64_t warp(const WarpRequest& request, const void* site);
  [[noreturn]] void fail(const std::string& what, const void* site);
  std::uint32_t active_lanes() const;
  void* dynamic_shared() { return memory_.dynamic_shared(); }

 private:
  enum class State : std::uint8_t { kUnstarted, kRunning, kAtBarrier, kInWarp, kEnded };
  struct Thread {
    State state = State::kUnstarted;
    Fiber* fiber = nullptr;
    const void* site = nullptr;
    WarpRequest request{};
    std::uint64_t result = 0;
    std::uint64_t time = 0;
  };

  void run_block(std::uint64_t block);
  void run_unstarted_threads(Fiber& fiber);
  void step();
  bool release();
  bool release_barrier();
  bool release_warp(unsigned first);
  void exchange(std::uint32_t lanes, unsigned warp);
  void order(std::uint32_t lanes, unsigned warp);
  void explain_standstill();
  void enter(unsigned thread);
  void resume(Fiber& fiber);
  void wait(State state, const void* site);
  void note_failure(unsigned thread, const std::string& what, const void* site);
  void abandon();
  Observer observer();
  std::string describe(Moment moment) const;

  const Launch* launch_ = nullptr;
  Memory memory_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* fiber_ = nullptr;  ///< the running one
  Range host_stack_;
  std::string failure_;  ///< empty for none
  const void* failure_site_ = nullptr;

  std::mt19937_64 random_;
  bool permuted_ = false;
  struct Started {
    std::uint64_t time, block;
  };
  std::vector<Started> blocks_;  ///< in the order in which they were run
  std::vector<Thread> threads_;
  std::vector<unsigned> unstarted_, ready_;  ///< the next one is the last
  unsigned current_ = 0;
  unsigned ended_ = 0;
  std::uint64_t time_ = 0, block_start_ = 0, last_barrier_ = 0;
  /// By warp and lane: of each lane of the warp, the last time that is behind a __syncwarp. Empty until there
  /// is one.
  using Known = std::array<std::uint64_t, 32>;
  std::vector<std::array<Known, 32>> known_;
};

/// The machine whose kernel's own code runs on this thread now; null outside it, also in what it calls here.
extern thread_local Machine* running_machine;

}  // namespace deformdiff::emulation
