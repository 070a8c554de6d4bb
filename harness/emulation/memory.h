// The memory of a running kernel: which accesses are allowed, and which race.
#pragma once

#include "emulation/buffers.h"
#include "emulation/shadow.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff::emulation {

/// A stretch of addresses.
struct Range {
  std::uintptr_t begin = 0, end = 0;
  bool holds(std::uintptr_t address) const { return address >= begin && address < end; }
};

class Memory {
 public:
  /// For a launch of the kernel at `kernel`, with `shared_bytes` of dynamic shared memory.
  void begin_launch(const void* kernel, std::vector<Buffer> buffers, std::size_t shared_bytes);
  /// Shared memory is unwritten again.
  void begin_block();

  /// Records an access; gives what is wrong with it, if anything: "writes 4 bytes outside any buffer".
  /// `name_of` names a moment's thread.
  template <typename Names>
  std::optional<std::string> access(const void* address, std::size_t bytes, AccessKind kind,
                                    const Observer& observer, const Names& name_of) {
    const std::optional<Fault> fault = check(address, bytes, kind, observer);
    if (!fault) return std::nullopt;
    std::string text = describe(*fault, address, bytes, kind);
    if (fault->conflict) text += describe(*fault->conflict) + name_of(fault->conflict->other);
    return text;
  }

  /// Where dynamic shared memory begins, aligned to 1024 bytes.
  void* dynamic_shared();

 private:
  struct Region {
    Range range;
    bool shared;
    bool read_only;
    std::string name;
    Shadow shadow;
  };
  struct Fault {
    const Region* region = nullptr;    ///< null: outside any
    std::optional<Conflict> conflict;  ///< else unwritten, or read-only
  };

  std::optional<Fault> check(const void* address, std::size_t bytes, AccessKind kind,
                             const Observer& observer);
  std::string describe(const Fault& fault, const void* address, std::size_t bytes, AccessKind kind) const;
  static std::string describe(const Conflict& conflict);
  Region* find(std::uintptr_t address);
  void add(Range range, std::string name, bool shared, bool read_only = false);
  void add_module_of(std::uintptr_t kernel);

  std::vector<Region> regions_;
  std::size_t last_ = 0;  ///< the region found last
  std::vector<std::byte> dynamic_shared_;
};

}  // namespace deformdiff::emulation
