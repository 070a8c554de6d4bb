// Kernels with one fault of each class that the emulation finds, each beside its right twin.
#include "emulation/cuda_emulation.h"
#include "emulation/kernel_error.h"

#include <cmath>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace deformdiff::emulation {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// What the emulation says of a launch over one buffer of floats, `data`; empty for nothing.
template <typename Kernel>
std::string fault_of(Kernel* kernel, const Configuration& configuration, std::vector<float>& data) {
  const BufferScope scope({{data.data(), data.size() * sizeof(float), "data"}});
  try {
    EXPECT_EQ(launch("tested", kernel, configuration, data.data(), static_cast<int>(data.size())),
              LaunchStatus::kLaunched);
  } catch (const KernelError& error) {
    return error.what();
  }
  return "";
}

std::vector<float> numbers(int count) {
  std::vector<float> data(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) data[static_cast<std::size_t>(i)] = static_cast<float>(i);
  return data;
}

// ---- barriers

enum class Reach { kAll, kNotTheLast, kLastShufflesInstead };

template <Reach kReach>
__global__ void reverse(float* data, int count) {
  __shared__ float tile[64];
  const int i = threadIdx.x;
  tile[i] = data[i];
  if (i == count - 1) {
    if (kReach == Reach::kNotTheLast) return;
    if (kReach == Reach::kLastShufflesInstead) __shfl_sync(1U << i % 32, i, i % 32);
  }
  __syncthreads();
  data[i] = tile[count - 1 - i];
  __syncthreads();
}

TEST(Emulation, BarrierThatNotAllThreadsReach) {
  std::vector<float> data = numbers(50);
  EXPECT_EQ(fault_of(reverse<Reach::kAll>, {1, 50}, data), "");
  EXPECT_EQ(data.front(), 49);
  EXPECT_EQ(data.back(), 0);
  EXPECT_EQ(fault_of(reverse<Reach::kLastShufflesInstead>, {1, 50}, data), "");
  EXPECT_THAT(fault_of(reverse<Reach::kNotTheLast>, {1, 50}, data),
              AllOf(HasSubstr("kernel tested: thread (0, 0, 0) of block (0, 0, 0) waits at __syncthreads"),
                    HasSubstr("not all threads of the block reach: thread (49, 0, 0)"),
                    HasSubstr("has ended"), HasSubstr("emulation_test.cpp:")));
}

// ---- races

enum class Order { kBarrier, kNone, kWarp };

template <Order kOrder>
__global__ void rotate(float* data, int count) {
  __shared__ float tile[64];
  const int i = threadIdx.x;
  tile[i] = data[i];
  if (kOrder == Order::kBarrier) __syncthreads();
  if (kOrder == Order::kWarp) __syncwarp();
  data[i] = tile[(i + 1) % count];
}

TEST(Emulation, RaceBetweenThreadsOfABlock) {
  std::vector<float> data = numbers(64);
  EXPECT_EQ(fault_of(rotate<Order::kBarrier>, {1, 64}, data), "");
  EXPECT_EQ(data[63], 0);
  EXPECT_THAT(fault_of(rotate<Order::kNone>, {1, 64}, data), HasSubstr("before this block has written them"));
  // A warp's barrier serves as long as nobody reads what another warp wrote.
  data = numbers(32);
  EXPECT_EQ(fault_of(rotate<Order::kWarp>, {1, 32}, data), "");
  data = numbers(64);
  EXPECT_THAT(fault_of(rotate<Order::kWarp>, {1, 64}, data),
              HasSubstr("a race: no barrier since it was written by"));
}

template <Order kOrder>
__global__ void shift_in_place(float* data, int count) {
  const int i = threadIdx.x;
  const float next = data[(i + 1) % count];
  if (kOrder == Order::kBarrier) __syncthreads();
  data[i] = next;
}

TEST(Emulation, RaceWithAnEarlierReader) {
  std::vector<float> data = numbers(40);
  EXPECT_EQ(fault_of(shift_in_place<Order::kBarrier>, {1, 40}, data), "");
  EXPECT_THAT(
      fault_of(shift_in_place<Order::kNone>, {1, 40}, data),
      AllOf(HasSubstr("thread (1, 0, 0) of block (0, 0, 0) writes 4 bytes of data, at byte 4, a race"),
            HasSubstr("read by thread (0, 0, 0)")));
}

template <bool kAtomic>
__global__ void sum_up(float* data, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) + 1;
  if (i >= count) return;
  if (kAtomic) {
    atomicAdd(data, data[i]);
  } else {
    data[0] += data[i];
  }
}

TEST(Emulation, RaceBetweenBlocks) {
  std::vector<float> data = numbers(40);
  EXPECT_EQ(fault_of(sum_up<true>, {5, 8}, data), "");
  EXPECT_EQ(data[0], 780);
  EXPECT_THAT(fault_of(sum_up<false>, {40, 1}, data),
              AllOf(HasSubstr("of block (1, 0, 0) reads 4 bytes of data, at byte 0"),
                    HasSubstr("written by thread (0, 0, 0) of block (0, 0, 0)")));
}

__global__ void read_while_others_add(float* data, int count) {
  atomicAdd(data, 1.0F);
  if (blockIdx.x == gridDim.x - 1) data[1 + threadIdx.x % (count - 1)] = data[0];
}

TEST(Emulation, AtomicsRaceWithPlainAccesses) {
  std::vector<float> data = numbers(40);
  EXPECT_THAT(fault_of(read_while_others_add, {3, 1}, data), HasSubstr("changed atomically by"));
}

/// Neighbouring 16-bit elements are different memory.
__global__ void write_halves(float* data, int count) {
  auto* halves = reinterpret_cast<unsigned short*>(data);
  halves[threadIdx.x % (2 * count)] = 1;
}

TEST(Emulation, NeighboursDoNotRace) {
  std::vector<float> data = numbers(8);
  EXPECT_EQ(fault_of(write_halves, {1, 16}, data), "");
  EXPECT_THAT(fault_of(write_halves, {1, 17}, data), HasSubstr("writes 2 bytes of data, at byte 0, a race"));
}

// ---- shared memory

template <bool kWrites>
__global__ void read_shared(float* data, int) {
  __shared__ float last;
  // The first block's write is no other's.
  if (threadIdx.x == 0 && (kWrites || blockIdx.x == 0)) last = 3;
  __syncthreads();
  data[blockIdx.x * blockDim.x + threadIdx.x] = last;
}

template <bool kWrites>
__global__ void read_dynamic_shared(float* data, int) {
  float* tile = dynamic_shared<float>();
  if (kWrites || threadIdx.x % 2 == 0) tile[threadIdx.x] = 1;
  __syncthreads();
  data[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

TEST(Emulation, SharedMemoryReadBeforeItIsWritten) {
  std::vector<float> data = numbers(64);
  EXPECT_EQ(fault_of(read_shared<true>, {4, 16}, data), "");
  EXPECT_EQ(data[63], 3);
  EXPECT_THAT(fault_of(read_shared<false>, {4, 16}, data),
              AllOf(HasSubstr("of block (1, 0, 0) reads 4 bytes of shared memory"),
                    HasSubstr("before this block has written them")));
  EXPECT_EQ(fault_of(read_dynamic_shared<true>, {1, 64, 256}, data), "");
  EXPECT_THAT(fault_of(read_dynamic_shared<false>, {1, 64, 256}, data),
              HasSubstr("of dynamic shared memory, at byte 252, before this block"));
}

struct Three {
  float a, b, c;
};
__device__ Three three_of(float x) {
  return {x, x + 1, x + 2};
}

__global__ void share_structures(float* data, int) {
  __shared__ Three tile[64];
  tile[threadIdx.x] = three_of(data[threadIdx.x]);
  tile[threadIdx.x + 32] = three_of(data[threadIdx.x] + 1);
  __syncthreads();
  data[threadIdx.x] = tile[31 - threadIdx.x].c + tile[63 - threadIdx.x].a;
}

TEST(Emulation, SeesStructuresThatFunctionsReturn) {
  std::vector<float> data = numbers(32);
  EXPECT_EQ(fault_of(share_structures, {1, 32}, data), "");
  EXPECT_EQ(data[31], 3);
}

// ---- buffers

template <int kExcess>
__global__ void read_ahead(float* data, int count) {
  const int i = threadIdx.x;
  if (i + 1 < count + kExcess) data[i] = data[i + 1] - data[i];
}

TEST(Emulation, AccessOutsideAnyBuffer) {
  std::vector<float> data = numbers(1);
  EXPECT_EQ(fault_of(read_ahead<0>, {1, 1}, data), "");
  EXPECT_THAT(
      fault_of(read_ahead<1>, {1, 1}, data),
      HasSubstr("reads 4 bytes outside any buffer that the kernel was given: to byte 8 of data, of 4 bytes"));
  data = numbers(64);
  EXPECT_THAT(
      fault_of(read_dynamic_shared<true>, {1, 64, 252}, data),
      HasSubstr("writes 4 bytes outside any buffer that the kernel was given: to byte 256 of dynamic"));
}

__global__ void copy_within(float* data, int count) {
  data[count / 2 + threadIdx.x] = data[threadIdx.x];
}

TEST(Emulation, WriteToWhatMayOnlyBeRead) {
  std::vector<float> data = numbers(8);
  const auto half = [&](int i, bool read_only) {
    return Buffer{data.data() + 4 * i, 4 * sizeof(float), i == 0 ? "lower" : "upper", read_only};
  };
  const auto run = [&](bool upper_is_read_only) -> std::string {
    const BufferScope scope({half(0, true), half(1, upper_is_read_only)});
    try {
      EXPECT_EQ(launch("tested", copy_within, {1, 4}, data.data(), 8), LaunchStatus::kLaunched);
    } catch (const KernelError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(run(false), "");
  EXPECT_EQ(data[6], 2);
  EXPECT_THAT(run(true), HasSubstr("writes 4 bytes of upper, at byte 0, which it may only read"));
}

// ---- warps

enum class Lanes { kAll, kLowerHalfAlone, kLowerHalf, kOwnLeftOut, kFromNobody };

template <Lanes kLanes>
__global__ void sum_of_warp(float* data, int) {
  const int i = threadIdx.x;
  unsigned mask = 0xffffffff;
  if (kLanes == Lanes::kLowerHalf || kLanes == Lanes::kFromNobody) mask = 0xffff;
  if (kLanes == Lanes::kOwnLeftOut) mask = 1U << (i + 1) % 32;
  float sum = data[i];
  if (kLanes == Lanes::kAll || i < 16) {
    const int first = kLanes == Lanes::kLowerHalf ? 8 : 16;
    for (int step = first; step > 0; step /= 2) sum += __shfl_down_sync(mask, sum, step);
  }
  __syncthreads();
  if (i == 0) data[0] = sum;
}

TEST(Emulation, DivergenceAtAShuffle) {
  std::vector<float> data = numbers(32);
  EXPECT_EQ(fault_of(sum_of_warp<Lanes::kAll>, {1, 32}, data), "");
  EXPECT_EQ(data[0], 496);
  EXPECT_THAT(fault_of(sum_of_warp<Lanes::kLowerHalfAlone>, {1, 32}, data),
              AllOf(HasSubstr("waits at a shuffle that not all lanes of its mask reach: thread (16, 0, 0)"),
                    HasSubstr("waits at __syncthreads")));
  EXPECT_THAT(fault_of(sum_of_warp<Lanes::kOwnLeftOut>, {1, 32}, data), HasSubstr("leaves out its own lane"));
  // Lanes 8 to 15 take from lanes that give nothing, and what they get is dropped; unless lane 0 takes it.
  data = numbers(32);
  EXPECT_EQ(fault_of(sum_of_warp<Lanes::kLowerHalf>, {1, 32}, data), "");
  EXPECT_EQ(data[0], 120);
  EXPECT_EQ(fault_of(sum_of_warp<Lanes::kFromNobody>, {1, 32}, data), "");
  EXPECT_TRUE(std::isnan(data[0]));
}

__global__ void votes(float* data, int) {
  const int i = threadIdx.x;
  const unsigned ballot = __ballot_sync(0xffffffff, i % 2);
  const int any = __any_sync(0xffffffff, i == 7);
  const int all = __all_sync(0xffffffff, i < 31);
  const unsigned sum = __reduce_add_sync(0xffffffff, static_cast<unsigned>(i));
  const int up = __shfl_up_sync(0xffffffff, i, 1, 8);
  const int across = __shfl_xor_sync(0xffffffff, i, 4);
  const double from = __shfl_sync(0xffffffff, i * 0.5, 3, 16);
  if (i == 24) {
    data[0] = static_cast<float>(__popc(ballot));
    data[1] = static_cast<float>(any);
    data[2] = static_cast<float>(all);
    data[3] = static_cast<float>(sum);
    data[4] = static_cast<float>(up);
    data[5] = static_cast<float>(across);
    data[6] = static_cast<float>(from);
  }
}

TEST(Emulation, WarpOperations) {
  std::vector<float> data = numbers(7);
  EXPECT_EQ(fault_of(votes, {1, 32}, data), "");
  EXPECT_EQ(data, (std::vector<float>{16, 1, 0, 496, 24, 28, 9.5}));
}

// ---- launches

__global__ void last_writer(float* data, int) {
  if (atomicAdd(&data[1], 1.0F) == 0) data[0] = static_cast<float>(threadIdx.x + blockDim.x * blockIdx.x);
}

TEST(Emulation, SchedulesArePermutedBySeed) {
  std::set<float> first;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    set_schedule(seed);
    std::vector<float> data(2, 0);
    EXPECT_EQ(fault_of(last_writer, {4, 16}, data), "");
    std::vector<float> again(2, 0);
    EXPECT_EQ(fault_of(last_writer, {4, 16}, again), "");
    EXPECT_EQ(data, again);
    first.insert(data[0]);
    data = numbers(50);
    EXPECT_EQ(fault_of(reverse<Reach::kAll>, {1, 50}, data), "");
    EXPECT_EQ(data[20], 29);
    EXPECT_NE(fault_of(reverse<Reach::kNotTheLast>, {1, 50}, data), "");
    EXPECT_NE(fault_of(shift_in_place<Order::kNone>, {1, 50}, data), "");
  }
  set_schedule(0);
  EXPECT_GE(first.size(), 4U);
}

__global__ void number_threads(float* data, int) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  data[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1;
}

TEST(Emulation, GridsAndBlocksOfThreeDimensions) {
  std::vector<float> data(2 * 3 * 4 * 5 * 2 * 3, 1);
  EXPECT_EQ(fault_of(number_threads, {{2, 3, 4}, {5, 2, 3}}, data), "");
  EXPECT_EQ(data, std::vector<float>(data.size(), 2));
}

TEST(Emulation, RefusesWhatADeviceRefuses) {
  const auto status = [](const Configuration& configuration) {
    return launch("tested", number_threads, configuration, nullptr, 0);
  };
  EXPECT_EQ(status({0, 32}), LaunchStatus::kInvalidConfiguration);
  EXPECT_EQ(status({1, 1025}), LaunchStatus::kInvalidConfiguration);
  EXPECT_EQ(status({1, 32, 1 << 20}), LaunchStatus::kInvalidConfiguration);
}

TEST(Emulation, LaunchesOfTwoHostThreads) {
  const auto work = [] {
    for (int i = 0; i < 20; ++i) {
      std::vector<float> data = numbers(64);
      EXPECT_EQ(fault_of(rotate<Order::kBarrier>, {1, 64}, data), "");
      EXPECT_EQ(data[62], 63);
    }
  };
  std::thread other(work);
  work();
  other.join();
}

}  // namespace
}  // namespace deformdiff::emulation
