#include "emulation/machine.h"

#include "emulation/fiber.h"
#include "emulation/kernel_error.h"
#include "emulation/source_line.h"

#include <algorithm>
#include <numeric>
#include <pthread.h>
#include <utility>

namespace deformdiff::emulation {

Indices indices;
thread_local Machine* running_machine = nullptr;

namespace {

constexpr unsigned kWarpSize = 32;

std::string in_parentheses(const uint3& index) {
  std::string text = std::to_string(index.x);
  for (const unsigned i : {index.y, index.z}) text.append(", ").append(std::to_string(i));
  return text.insert(0, 1, '(').append(1, ')');
}

uint3 position(const dim3& extent, std::uint64_t index) {
  return {static_cast<unsigned>(index % extent.x), static_cast<unsigned>(index / extent.x % extent.y),
          static_cast<unsigned>(index / extent.x / extent.y)};
}

std::string at(const dim3& extent, std::uint64_t index) {
  return in_parentheses(position(extent, index));
}

/// While it lives, accesses are not the kernel's: the linker may have chosen the kernel's file for functions
/// of the standard library that are used here, and they call access().
class OutsideKernel {
 public:
  OutsideKernel() : machine_(std::exchange(running_machine, nullptr)) {}
  ~OutsideKernel() { running_machine = machine_; }
  OutsideKernel(const OutsideKernel&) = delete;
  OutsideKernel& operator=(const OutsideKernel&) = delete;

 private:
  Machine* machine_;
};

std::uint64_t volume(const dim3& extent) {
  return std::uint64_t{extent.x} * extent.y * extent.z;
}

Range stack_of_this_thread() {
  thread_local const Range stack = [] {
    pthread_attr_t attributes;
    void* begin = nullptr;
    std::size_t size = 0;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &begin, &size);
    pthread_attr_destroy(&attributes);
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    return Range{address, address + size};
  }();
  return stack;
}

const char* name_of(WarpOperation operation) {
  switch (operation) {
    case WarpOperation::kSync:
      return "__syncwarp";
    case WarpOperation::kShuffle:
      return "a shuffle";
    case WarpOperation::kVote:
      return "a vote";
    case WarpOperation::kReduce:
      return "a reduction";
  }
  return "";
}

}  // namespace

Machine::Machine() = default;
Machine::~Machine() = default;

void Machine::run(const Launch& launch, std::vector<Buffer> buffers, std::uint64_t schedule) {
  launch_ = &launch;
  memory_.begin_launch(launch.kernel_address, std::move(buffers), launch.shared_bytes);
  host_stack_ = stack_of_this_thread();
  permuted_ = schedule != 0;
  random_.seed(schedule);
  time_ = 0;
  blocks_.clear();
  known_.clear();
  failure_.clear();
  threads_.assign(volume(launch.block), {});
  indices.block_extent = launch.block;
  indices.grid_extent = launch.grid;
  const std::uint64_t count = volume(launch.grid);
  std::vector<std::uint64_t> order;
  if (permuted_) {
    order.resize(count);
    std::iota(order.begin(), order.end(), std::uint64_t{0});
    std::shuffle(order.begin(), order.end(), random_);
  }
  for (std::uint64_t i = 0; i < count && failure_.empty(); ++i) run_block(permuted_ ? order[i] : i);
  if (failure_.empty()) return;
  abandon();
  throw KernelError(failure_ + " (" + source_line(failure_site_) + ")");
}

void Machine::run_block(std::uint64_t block) {
  memory_.begin_block();
  block_start_ = last_barrier_ = ++time_;
  blocks_.push_back({time_, block});
  indices.block = position(launch_->grid, block);
  ended_ = 0;
  const auto count = static_cast<unsigned>(threads_.size());
  for (Thread& thread : threads_) thread = {.state = State::kUnstarted, .time = time_};
  ready_.clear();
  unstarted_.resize(count);
  for (unsigned i = 0; i < count; ++i) unstarted_[i] = count - 1 - i;
  if (permuted_) std::shuffle(unstarted_.begin(), unstarted_.end(), random_);
  while (ended_ < count && failure_.empty()) step();
}

void Machine::step() {
  const bool may_start = !unstarted_.empty();
  const bool start = may_start && (ready_.empty() || !permuted_ || random_() % 2 == 0);
  if (start) {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>(
          [](Fiber& self, void* machine) { static_cast<Machine*>(machine)->run_unstarted_threads(self); },
          this));
      idle_.push_back(fibers_.back().get());
    }
    Fiber& fiber = *idle_.back();
    idle_.pop_back();
    resume(fiber);
  } else if (!ready_.empty()) {
    const unsigned thread = ready_.back();
    ready_.pop_back();
    enter(thread);
    resume(*threads_[thread].fiber);
  } else if (!release()) {
    explain_standstill();
  }
}

void Machine::resume(Fiber& fiber) {
  fiber_ = &fiber;
  fiber.resume();
}

/// A fiber's body: threads one after the other; a thread that waits takes the fiber along.
void Machine::run_unstarted_threads(Fiber& fiber) {
  for (;;) {
    while (!unstarted_.empty()) {
      const unsigned thread = unstarted_.back();
      unstarted_.pop_back();
      threads_[thread].fiber = &fiber;
      enter(thread);
      running_machine = this;
      launch_->run_thread(launch_->arguments);
      running_machine = nullptr;
      threads_[thread].state = State::kEnded;
      ++ended_;
      // Where schedules are permuted, others may go first.
      if (permuted_) break;
    }
    idle_.push_back(&fiber);
    fiber.leave();
  }
}

void Machine::enter(unsigned thread) {
  current_ = thread;
  threads_[thread].state = State::kRunning;
  indices.thread = position(launch_->block, thread);
}

void Machine::wait(State state, const void* site) {
  threads_[current_].state = state;
  threads_[current_].site = site;
  fiber_->leave();
}

void Machine::barrier(const void* site) {
  const OutsideKernel outside;
  wait(State::kAtBarrier, site);
}

std::uint64_t Machine::warp(const WarpRequest& request, const void* site) {
  const OutsideKernel outside;
  if ((request.mask >> current_ % kWarpSize & 1) == 0) {
    fail(std::string("calls ") + name_of(request.operation) + " with a mask that leaves out its own lane",
         site);
  }
  const unsigned thread = current_;
  threads_[thread].request = request;
  wait(State::kInWarp, site);
  return threads_[thread].result;
}

/// Lets those go on whose barrier or warp operation is complete, once no other thread can run.
bool Machine::release() {
  if (release_barrier()) return true;
  bool any = false;
  for (unsigned thread = 0; thread < threads_.size(); ++thread) {
    if (threads_[thread].state == State::kInWarp && release_warp(thread)) any = true;
  }
  // The first is the next.
  std::reverse(ready_.begin(), ready_.end());
  if (permuted_) std::shuffle(ready_.begin(), ready_.end(), random_);
  return any;
}

bool Machine::release_barrier() {
  for (const Thread& thread : threads_) {
    if (thread.state != State::kAtBarrier) return false;
  }
  last_barrier_ = ++time_;
  for (unsigned i = static_cast<unsigned>(threads_.size()); i-- > 0;) {
    threads_[i].time = time_;
    ready_.push_back(i);
  }
  if (permuted_) std::shuffle(ready_.begin(), ready_.end(), random_);
  return true;
}

bool Machine::release_warp(unsigned first) {
  const WarpRequest& wanted = threads_[first].request;
  const unsigned warp = first / kWarpSize;
  std::uint32_t lanes = 0;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    const unsigned thread = warp * kWarpSize + lane;
    if ((wanted.mask >> lane & 1) == 0 || thread >= threads_.size()) continue;
    const Thread& other = threads_[thread];
    // An ended thread need not take part.
    if (other.state == State::kEnded) continue;
    if (other.state != State::kInWarp || other.request.operation != wanted.operation ||
        other.request.mask != wanted.mask) {
      return false;
    }
    lanes |= 1U << lane;
  }
  exchange(lanes, warp);
  if (wanted.operation == WarpOperation::kSync) order(lanes, warp);
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if ((lanes >> lane & 1) == 0) continue;
    threads_[warp * kWarpSize + lane].state = State::kRunning;
    ready_.push_back(warp * kWarpSize + lane);
  }
  return true;
}

/// Gives each lane its result.
void Machine::exchange(std::uint32_t lanes, unsigned warp) {
  Thread* const threads = &threads_[warp * kWarpSize];
  std::uint64_t votes = 0;
  std::optional<std::uint64_t> reduced;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if ((lanes >> lane & 1) == 0) continue;
    const WarpRequest& request = threads[lane].request;
    if (request.value != 0) votes |= std::uint64_t{1} << lane;
    if (request.combine != nullptr) {
      reduced = reduced ? request.combine(*reduced, request.value) : request.value;
    }
  }
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if ((lanes >> lane & 1) == 0) continue;
    Thread& thread = threads[lane];
    switch (thread.request.operation) {
      case WarpOperation::kSync:
        break;
      case WarpOperation::kShuffle:
        // What comes from a lane that takes no part is undefined, and often dropped: NaN where it is not.
        thread.result = (lanes >> thread.request.source & 1) != 0
                            ? threads[thread.request.source].request.value
                            : ~std::uint64_t{0};
        break;
      case WarpOperation::kVote:
        thread.result = votes;
        break;
      case WarpOperation::kReduce:
        thread.result = *reduced;
        break;
    }
  }
}

/// What the lanes did until now lies behind what they do from now on.
void Machine::order(std::uint32_t lanes, unsigned warp) {
  if (known_.empty()) known_.resize((threads_.size() + kWarpSize - 1) / kWarpSize);
  Known joint{};
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if ((lanes >> lane & 1) == 0) continue;
    const Known& of_lane = known_[warp][lane];
    for (unsigned other = 0; other < kWarpSize; ++other)
      joint[other] = std::max(joint[other], of_lane[other]);
    joint[lane] = std::max(joint[lane], threads_[warp * kWarpSize + lane].time);
  }
  ++time_;
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    if ((lanes >> lane & 1) == 0) continue;
    known_[warp][lane] = joint;
    threads_[warp * kWarpSize + lane].time = time_;
  }
}

/// Threads wait for others that will never come.
void Machine::explain_standstill() {
  const auto find = [&](auto&& wanted) {
    const auto found = std::find_if(threads_.begin(), threads_.end(), wanted);
    return found == threads_.end() ? nullptr : &*found;
  };
  const auto index = [&](const Thread* thread) { return static_cast<unsigned>(thread - threads_.data()); };
  const auto doing = [&](const Thread& thread) {
    if (thread.state == State::kEnded) return std::string("has ended");
    return std::string("waits at ") +
           (thread.state == State::kAtBarrier ? "__syncthreads" : name_of(thread.request.operation)) + " (" +
           source_line(thread.site) + ")";
  };
  if (const Thread* waiting = find([](const Thread& t) { return t.state == State::kInWarp; })) {
    const unsigned first_of_warp = index(waiting) / kWarpSize * kWarpSize;
    const Thread* missing = find([&](const Thread& t) {
      const unsigned lane = index(&t) - first_of_warp;
      return lane < kWarpSize && (waiting->request.mask >> lane & 1) != 0 && t.state != State::kEnded &&
             (t.state != State::kInWarp || t.request.operation != waiting->request.operation ||
              t.request.mask != waiting->request.mask);
    });
    std::string what = std::string("waits at ") + name_of(waiting->request.operation) +
                       " that not all lanes of its mask reach";
    if (missing != nullptr) {
      what += ": " + describe(Moment(index(missing), time_)) + " " + doing(*missing);
      if (missing->state == State::kInWarp && missing->request.operation == waiting->request.operation) {
        what += " with another mask";
      }
    }
    note_failure(index(waiting), what, waiting->site);
    return;
  }
  const Thread* waiting = find([](const Thread& t) { return t.state == State::kAtBarrier; });
  const Thread* other = find([](const Thread& t) { return t.state != State::kAtBarrier; });
  note_failure(index(waiting),
               "waits at __syncthreads, which not all threads of the block reach: " +
                   describe(Moment(index(other), time_)) + " " + doing(*other),
               waiting->site);
}

Observer Machine::observer() {
  static constexpr Known kNothing{};
  const Known& known = known_.empty() ? kNothing : known_[current_ / kWarpSize][current_ % kWarpSize];
  return {Moment(current_, threads_[current_].time), block_start_, last_barrier_, &known};
}

void Machine::access(const void* address, std::size_t bytes, AccessKind kind, const void* site) {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  if (fiber_->stack().holds(begin) || host_stack_.holds(begin)) return;
  if (begin - reinterpret_cast<std::uintptr_t>(&indices) < sizeof indices) return;
  const OutsideKernel outside;
  const auto fault =
      memory_.access(address, bytes, kind, observer(), [this](Moment moment) { return describe(moment); });
  if (fault) fail(*fault, site);
}

void Machine::fail(const std::string& what, const void* site) {
  const OutsideKernel outside;
  note_failure(current_, what, site);
  // The host abandons the fiber: what runs here may be in the middle of anything.
  for (;;) fiber_->leave();
}

void Machine::note_failure(unsigned thread, const std::string& what, const void* site) {
  failure_ =
      "CUDA emulation: kernel " + launch_->kernel + ": " + describe(Moment(thread, time_)) + " " + what;
  failure_site_ = site;
}

std::uint32_t Machine::active_lanes() const {
  return 1U << current_ % kWarpSize;
}

void Machine::abandon() {
  idle_.clear();
  for (const auto& fiber : fibers_) {
    fiber->restart();
    idle_.push_back(fiber.get());
  }
}

std::string Machine::describe(Moment moment) const {
  const auto after =
      std::upper_bound(blocks_.begin(), blocks_.end(), moment.time(),
                       [](std::uint64_t time, const Started& block) { return time < block.time; });
  return "thread " + at(launch_->block, moment.thread()) + " of block " +
         at(launch_->grid, std::prev(after)->block);
}

}  // namespace deformdiff::emulation
