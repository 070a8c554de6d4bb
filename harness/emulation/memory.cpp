#include "emulation/memory.h"

#include <algorithm>
#include <link.h>
#include <utility>

namespace deformdiff::emulation {
namespace {

constexpr std::size_t kSharedAlignment = 1024;

/// Of the module that holds `kernel`: its static data, and its thread-local data of this thread, where
/// __shared__ variables are.
struct Module {
  std::uintptr_t kernel;
  std::vector<Range> data;
  Range thread_local_data;
};

int look_at_module(dl_phdr_info* info, std::size_t, void* result) {
  Module& module = *static_cast<Module*>(result);
  std::vector<Range> data;
  Range thread_local_data;
  bool found = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    const Range range{begin, begin + header.p_memsz};
    if (header.p_type == PT_LOAD) {
      found = found || range.holds(module.kernel);
      data.push_back(range);
    }
    if (header.p_type == PT_TLS && info->dlpi_tls_data != nullptr) {
      const auto start = reinterpret_cast<std::uintptr_t>(info->dlpi_tls_data);
      thread_local_data = {start, start + header.p_memsz};
    }
  }
  if (!found) return 0;
  module.data = std::move(data);
  module.thread_local_data = thread_local_data;
  return 1;
}

const char* verb(AccessKind kind) {
  switch (kind) {
    case AccessKind::kRead:
      return "reads ";
    case AccessKind::kWrite:
      return "writes ";
    case AccessKind::kAtomic:
      return "atomically changes ";
  }
  return "";
}

std::string count_of_bytes(std::size_t bytes) {
  return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
}

}  // namespace

void Memory::begin_launch(const void* kernel, std::vector<Buffer> buffers, std::size_t shared_bytes) {
  regions_.clear();
  last_ = 0;
  std::sort(buffers.begin(), buffers.end(),
            [](const Buffer& a, const Buffer& b) { return a.address < b.address; });
  for (Buffer& buffer : buffers) {
    const auto begin = reinterpret_cast<std::uintptr_t>(buffer.address);
    const Range range{begin, begin + buffer.bytes};
    if (!regions_.empty() && range.begin < regions_.back().range.end) {
      Region& overlapped = regions_.back();
      overlapped.range.end = std::max(overlapped.range.end, range.end);
      overlapped.read_only = overlapped.read_only && buffer.read_only;
    } else if (buffer.bytes != 0) {
      add(range, std::move(buffer.name), false, buffer.read_only);
    }
  }
  dynamic_shared_.resize(std::max(dynamic_shared_.size(), shared_bytes + kSharedAlignment));
  const auto shared = reinterpret_cast<std::uintptr_t>(dynamic_shared());
  if (shared_bytes != 0) add({shared, shared + shared_bytes}, "dynamic shared memory", true);
  add_module_of(reinterpret_cast<std::uintptr_t>(kernel));
}

void Memory::begin_block() {
  for (Region& region : regions_) {
    if (region.shared) region.shadow.clear();
  }
}

void* Memory::dynamic_shared() {
  const auto begin = reinterpret_cast<std::uintptr_t>(dynamic_shared_.data());
  return reinterpret_cast<void*>((begin + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment);
}

void Memory::add(Range range, std::string name, bool shared, bool read_only) {
  regions_.push_back({range, shared, read_only, std::move(name), {}});
}

void Memory::add_module_of(std::uintptr_t kernel) {
  Module module{kernel, {}, {}};
  dl_iterate_phdr(look_at_module, &module);
  for (const Range& range : module.data) add(range, "static data", false);
  if (module.thread_local_data.end != 0) add(module.thread_local_data, "shared memory", true);
}

Memory::Region* Memory::find(std::uintptr_t address) {
  if (last_ < regions_.size() && regions_[last_].range.holds(address)) return &regions_[last_];
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    if (!regions_[i].range.holds(address)) continue;
    last_ = i;
    return &regions_[i];
  }
  return nullptr;
}

std::optional<Memory::Fault> Memory::check(const void* address, std::size_t bytes, AccessKind kind,
                                           const Observer& observer) {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  Region* region = find(begin);
  if (region == nullptr || begin + bytes > region->range.end) return Fault{};
  if (region->read_only) {
    if (kind == AccessKind::kRead) return std::nullopt;
    return Fault{region, std::nullopt};
  }
  const std::size_t offset = begin - region->range.begin;
  if (region->shared && kind != AccessKind::kWrite &&
      !region->shadow.written_since(offset, bytes, observer.block_start)) {
    return Fault{region, std::nullopt};
  }
  const auto conflict = region->shadow.access(offset, bytes, kind, observer);
  if (!conflict) return std::nullopt;
  return Fault{region, conflict};
}

std::string Memory::describe(const Fault& fault, const void* address, std::size_t bytes,
                             AccessKind kind) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  std::string text = verb(kind) + count_of_bytes(bytes);
  if (fault.region != nullptr) {
    text += " of " + fault.region->name + ", at byte " + std::to_string(begin - fault.region->range.begin);
    if (fault.conflict) return text;
    return text +
           (fault.region->read_only ? ", which it may only read" : ", before this block has written them");
  }
  text += " outside any buffer that the kernel was given";
  // The nearest below says what was meant.
  const Region* nearest = nullptr;
  for (const Region& region : regions_) {
    if (region.range.begin <= begin && (nearest == nullptr || region.range.begin > nearest->range.begin)) {
      nearest = &region;
    }
  }
  constexpr std::uintptr_t kNear = 1 << 20;
  if (nearest != nullptr && begin < nearest->range.end + kNear) {
    const std::uintptr_t last = begin + bytes;
    text += ": to byte " + std::to_string(last - nearest->range.begin) + " of " + nearest->name + ", of " +
            count_of_bytes(nearest->range.end - nearest->range.begin);
  }
  return text;
}

std::string Memory::describe(const Conflict& conflict) {
  const char* did = conflict.kind == AccessKind::kRead    ? "read"
                    : conflict.kind == AccessKind::kWrite ? "written"
                                                          : "changed atomically";
  return std::string(", a race: no barrier since it was ") + did + " by ";
}

}  // namespace deformdiff::emulation
