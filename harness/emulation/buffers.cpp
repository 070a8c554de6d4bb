#include "emulation/buffers.h"

#include <iterator>
#include <mutex>
#include <utility>

namespace deformdiff::emulation {
namespace {

thread_local std::vector<Buffer> scoped;

std::mutex sources_mutex;

std::vector<BufferSource>& sources() {
  static std::vector<BufferSource> all;
  return all;
}

}  // namespace

BufferScope::BufferScope(std::vector<Buffer> buffers) : outer_(scoped.size()) {
  std::move(buffers.begin(), buffers.end(), std::back_inserter(scoped));
}

BufferScope::~BufferScope() {
  scoped.resize(outer_);
}

void add_buffer_source(BufferSource source) {
  const std::lock_guard lock(sources_mutex);
  sources().push_back(source);
}

std::vector<Buffer> known_buffers() {
  std::vector<Buffer> all = scoped;
  const std::lock_guard lock(sources_mutex);
  for (const BufferSource source : sources()) {
    std::vector<Buffer> more = source();
    std::move(more.begin(), more.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace deformdiff::emulation
