#include "worker/channel.h"

#include "core/child_processes.h"
#include "core/error.h"
#include "core/file_descriptor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace deformdiff::worker {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int keep_private(int descriptor) {
  const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, wire::kFromWorkerMemory + 1);
  if (copy < 0) fail("the channel");
  return copy;
}

void write_shared(std::size_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(wire::kFromWorkerMemory, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written <= 0) fail("writing to shared memory");
    offset += static_cast<std::size_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Channel::Channel() {
  for (const int memory : {wire::kToWorkerMemory, wire::kFromWorkerMemory}) {
    if (::fcntl(memory, F_SETFD, FD_CLOEXEC) != 0) throw InputError("this program is started by deformdiff");
    // What an implementation writes to a descriptor that it takes for its own goes where nothing lies.
    constexpr off_t kFar = off_t{1} << 50;
    if (::lseek(memory, kFar, SEEK_SET) < 0) fail("the shared memory");
  }
  input_ = keep_private(STDIN_FILENO);
  output_ = keep_private(STDOUT_FILENO);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    fail("the standard descriptors");
  }
  ::close(nothing);
}

bool Channel::receive() {
  std::array<std::byte, wire::Prelude::kBytes> bytes;
  if (!read_all(input_, bytes.data(), bytes.size())) return false;
  const wire::Prelude prelude = wire::decode_prelude(bytes);
  header_.resize(prelude.header_size);
  data_size_ = prelude.data_size;
  inline_data_.resize(data_size_ > wire::kInlineData ? 0 : data_size_);
  shared_offset_ = 0;
  return read_all(input_, header_.data(), header_.size()) &&
         read_all(input_, inline_data_.data(), inline_data_.size()) && map_data();
}

bool Channel::map_data() {
  if (data_size_ <= wire::kInlineData || data_size_ <= mapped_) return true;
  struct stat status {};
  if (::fstat(wire::kToWorkerMemory, &status) != 0) fail("the shared memory");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size < data_size_) throw InputError("message: its data is not in the shared memory");
  if (mapping_ != nullptr) ::munmap(const_cast<std::byte*>(mapping_), mapped_);
  // Not all that there is: a subject may have made it longer.
  mapped_ = std::min(size, 2 * data_size_);
  void* mapping = ::mmap(nullptr, mapped_, PROT_READ, MAP_SHARED, wire::kToWorkerMemory, 0);
  if (mapping == MAP_FAILED) fail("mapping the shared memory");
  mapping_ = static_cast<const std::byte*>(mapping);
  return true;
}

std::span<const std::byte> Channel::data() const {
  if (data_size_ > wire::kInlineData) return {mapping_, data_size_};
  return std::as_bytes(std::span(inline_data_));
}

void Channel::send(const wire::Message& message) {
  const auto prelude = wire::encode(wire::Prelude{message.data_size, message.header.size()});
  std::string text(as_text(prelude));
  text += message.header;
  if (message.data_size > wire::kInlineData) {
    std::size_t offset = shared_offset_;
    for (const auto piece : message.data) {
      write_shared(offset, piece);
      offset += piece.size();
    }
    shared_offset_ = wire::next_shared_offset(shared_offset_, message.data_size);
  } else {
    for (const auto piece : message.data) text += as_text(piece);
  }
  if (!write_all(output_, text.data(), text.size())) fail("writing a message");
}

void Channel::end_with_parent() const {
  adopt_orphans();
  const pid_t parent = ::getppid();
  const int parent_process = open_process(parent);
  // The other end of the input also closes when the parent was gone before its descriptor was opened.
  std::thread([input = input_, parent_process] {
    while (true) {
      pollfd waits[] = {{input, 0, 0}, {parent_process, POLLIN, 0}};
      if (::poll(waits, std::size(waits), -1) <= 0) continue;
      kill_children({});
      ::_exit(0);
    }
  }).detach();
}

}  // namespace deformdiff::worker
