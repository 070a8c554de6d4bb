// Launches of emulated kernels: what kernel<<<grid, block, shared bytes, stream>>>(arguments) is on a device.
#pragma once

#include "emulation/machine.h"

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

namespace deformdiff::emulation {

/// What stands between <<< and >>>. Streams are all the same: a launch has ended when it returns.
struct Configuration {
  Configuration(dim3 grid, dim3 block, std::size_t shared_bytes = 0, const void* = nullptr)
      : grid(grid), block(block), shared_bytes(shared_bytes) {}

  dim3 grid, block;
  std::size_t shared_bytes;
};

enum class LaunchStatus { kLaunched, kInvalidConfiguration };

/// Runs the launch. Refuses, as a device does, a grid or a block without threads, blocks of more than 1024,
/// and more shared memory than 227 KiB. Throws KernelError for a fault of the kernel. Launches of several
/// host threads wait for one another.
LaunchStatus run(const Launch& launch);

/// The order in which blocks and threads run from now on: 0 ascending, else permuted by this seed. Unless
/// set, that of the environment's DEFORMDIFF_EMULATION_SCHEDULE.
void set_schedule(std::uint64_t seed);

template <typename... Parameters, typename... Arguments>
LaunchStatus launch(const char* name, void (*kernel)(Parameters...), const Configuration& configuration,
                    Arguments&&... arguments) {
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> parameters;
  };
  const Call call{kernel, {static_cast<Parameters>(std::forward<Arguments>(arguments))...}};
  const auto run_thread = [](const void* argument) {
    const Call& one = *static_cast<const Call*>(argument);
    std::apply(one.kernel, one.parameters);
  };
  return run({name, reinterpret_cast<const void*>(kernel), configuration.grid, configuration.block,
              configuration.shared_bytes, run_thread, &call});
}

}  // namespace deformdiff::emulation
