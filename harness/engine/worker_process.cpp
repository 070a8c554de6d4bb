#include "engine/worker_process.h"

#include "core/error.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

// glibc 2.36 declares its functions without C linkage.
extern "C" {
#include <sys/pidfd.h>
}

namespace deformdiff {
namespace {

constexpr int kPipeBytes = 1 << 20;
constexpr std::size_t kReadBytes = 64 << 10;
constexpr off_t kStandardErrorLimit = 16 << 20;
constexpr int kSliceMilliseconds = 200;

/// Shared memory of less than this is kept for the next message: asking for it anew costs more.
constexpr std::size_t kReleased = 4 << 20;
constexpr int kGraceMilliseconds = 1000;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// Above the descriptors that a worker is given, so that handing out one never overwrites another.
FileDescriptor clear_of_standard(int descriptor) {
  if (descriptor < 0) fail("a worker's channel");
  const FileDescriptor low(descriptor);
  const int high = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 16);
  if (high < 0) fail("a worker's channel");
  return FileDescriptor(high);
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("a worker's pipe");
    read = clear_of_standard(ends[0]);
    write = clear_of_standard(ends[1]);
    ::fcntl(read.get(), F_SETPIPE_SZ,
            kPipeBytes);  // refused where the user's quota is used up: slower, no harm
  }
  FileDescriptor read, write;
};

/// Cannot shrink: reading a mapping of it is safe whatever the other side does.
FileDescriptor make_memory() {
  FileDescriptor memory = clear_of_standard(::memfd_create("deformdiff", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) fail("a worker's shared memory");
  return memory;
}

/// Every write goes to the end, also after the parent has emptied it.
FileDescriptor make_standard_error() {
  FileDescriptor file = clear_of_standard(::memfd_create("deformdiff-stderr", MFD_CLOEXEC));
  if (::fcntl(file.get(), F_SETFL, O_APPEND) != 0) fail("a worker's standard error");
  return file;
}

void set_nonblocking(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0) fail("a worker's pipe");
}

/// posix_spawn with `given[i]` as descriptor i. A group of its own: an interrupt from the keyboard reaches
/// the parent only, and what the worker started dies with it.
pid_t spawn(const std::vector<std::string>& argv, std::span<const int> given) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  for (std::size_t i = 0; i < given.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, given[i], static_cast<int>(i));
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    throw InputError(fmt::format("worker {}: cannot be started: {}", argv[0], std::strerror(error)));
  }
  return pid;
}

void limit(pid_t pid, __rlimit_resource resource, rlim_t value) {
  const rlimit both{value, value};
  ::prlimit(pid, resource, &both, nullptr);  // fails only if the process is gone, which receive() tells
}

std::string printable(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    const char c = static_cast<char>(byte);
    text += c >= ' ' && c <= '~' ? std::string(1, c) : c == '\n' ? " " : fmt::format("\\x{:02x}", c & 0xFF);
  }
  return text;
}

}  // namespace

WorkerProcess::WorkerProcess(const std::vector<std::string>& argv, std::int64_t memory_bytes)
    : to_memory_(make_memory()), from_memory_(make_memory()), standard_error_(make_standard_error()) {
  DEFORMDIFF_CHECK(!argv.empty());
  // A write to a worker that has died must be an error, not the end of this process.
  static const auto ignored = std::signal(SIGPIPE, SIG_IGN);
  static_cast<void>(ignored);
  Pipe to, from;
  const int given[] = {to.read.get(), from.write.get(), standard_error_.get(), to_memory_.get(),
                       from_memory_.get()};
  static_assert(wire::kToWorkerMemory == 3 && wire::kFromWorkerMemory == 4);
  pid_ = spawn(argv, given);
  limit(pid_, RLIMIT_CORE, 0);
  if (memory_bytes > 0) limit(pid_, RLIMIT_DATA, static_cast<rlim_t>(memory_bytes));
  process_ = FileDescriptor(::pidfd_open(pid_, 0));
  to_worker_ = std::move(to.write);
  from_worker_ = std::move(from.read);
  set_nonblocking(to_worker_.get());
  set_nonblocking(from_worker_.get());
}

WorkerProcess::~WorkerProcess() {
  ::kill(-pid_, SIGKILL);
  if (!reaped_) ::waitpid(pid_, nullptr, 0);
  if (mapping_ != nullptr) ::munmap(const_cast<std::byte*>(mapping_), mapped_);
}

void WorkerProcess::send(const wire::Message& message) {
  const auto append = [this](std::span<const std::byte> bytes) {
    unsent_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  append(wire::encode(wire::Prelude{message.data_size, message.header.size()}));
  unsent_ += message.header;
  const bool shared = message.data_size > wire::kInlineData;
  off_t offset = 0;
  for (std::span<const std::byte> piece : message.data) {
    if (!shared) append(piece);
    while (shared && !piece.empty()) {
      const ssize_t written = ::pwrite(to_memory_.get(), piece.data(), piece.size(), offset);
      if (written <= 0) fail("writing a case to shared memory");
      offset += written;
      piece = piece.subspan(static_cast<std::size_t>(written));
    }
  }
  flush();
}

void WorkerProcess::flush() {
  while (sent_ < unsent_.size()) {
    const ssize_t written = ::write(to_worker_.get(), unsent_.data() + sent_, unsent_.size() - sent_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) break;  // it no longer listens: receive() will tell why
    sent_ += static_cast<std::size_t>(written);
  }
  unsent_.clear();
  sent_ = 0;
}

WorkerProcess::Event WorkerProcess::receive(Clock::time_point deadline) {
  header_ = {};
  data_ = {};
  flush();
  while (true) {
    try {
      if (take_message()) return Event::kMessage;
    } catch (const InputError&) {
      return Event::kNonsense;
    }
    if (ended_) return Event::kEnded;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const bool something = wait(static_cast<int>(std::clamp<std::int64_t>(left, 0, kSliceMilliseconds)));
    if (!something && left <= 0) return Event::kDeadline;
    if (!something) trim_standard_error();
  }
}

bool WorkerProcess::wait(int milliseconds) {
  pollfd waits[] = {{from_worker_.get(), POLLIN, 0},
                    {process_.get(), POLLIN, 0},
                    {unsent_.empty() ? -1 : to_worker_.get(), POLLOUT, 0}};
  if (::poll(waits, std::size(waits), milliseconds) <= 0) return false;
  flush();
  // What a process wrote before it was gone is in the pipe: read until there is nothing more.
  const bool gone = waits[1].revents != 0;
  const bool more = read_channel();
  if (gone && !more) ended_ = true;
  return true;
}

bool WorkerProcess::read_channel() {
  if (consumed_ == filled_) consumed_ = filled_ = 0;
  if (received_.size() - filled_ < kReadBytes) {
    std::copy(received_.begin() + static_cast<std::ptrdiff_t>(consumed_),
              received_.begin() + static_cast<std::ptrdiff_t>(filled_), received_.begin());
    filled_ -= std::exchange(consumed_, 0);
    received_.resize(std::max(received_.size(), 2 * filled_ + kReadBytes));
  }
  const ssize_t got = ::read(from_worker_.get(), received_.data() + filled_, received_.size() - filled_);
  if (got < 0 && errno == EINTR) return true;
  if (got == 0) ended_ = true;
  if (got <= 0) return false;
  filled_ += static_cast<std::size_t>(got);
  return true;
}

bool WorkerProcess::take_message() {
  const std::span<const std::byte> bytes = std::span(received_).subspan(consumed_, filled_ - consumed_);
  if (bytes.size() < wire::Prelude::kBytes) return false;
  const wire::Prelude prelude = wire::decode_prelude(bytes.first<wire::Prelude::kBytes>());
  const bool shared = prelude.data_size > wire::kInlineData;
  const std::size_t data_at = wire::Prelude::kBytes + prelude.header_size;
  const std::size_t whole = data_at + (shared ? 0 : prelude.data_size);
  if (bytes.size() < whole) return false;
  header_ = {reinterpret_cast<const char*>(bytes.data()) + wire::Prelude::kBytes, prelude.header_size};
  data_ = shared ? shared_data(prelude.data_size) : bytes.subspan(data_at, prelude.data_size);
  consumed_ += whole;
  return true;
}

std::span<const std::byte> WorkerProcess::shared_data(std::size_t size) {
  const std::size_t end = shared_offset_ + size;
  if (end > mapped_) {
    struct stat status {};
    if (::fstat(from_memory_.get(), &status) != 0 || end > static_cast<std::size_t>(status.st_size)) {
      throw InputError("message: its data is not in the shared memory");
    }
    if (mapping_ != nullptr) ::munmap(const_cast<std::byte*>(mapping_), mapped_);
    mapped_ = static_cast<std::size_t>(status.st_size);
    void* mapping = ::mmap(nullptr, mapped_, PROT_READ, MAP_SHARED, from_memory_.get(), 0);
    if (mapping == MAP_FAILED) fail("mapping a worker's shared memory");
    mapping_ = static_cast<const std::byte*>(mapping);
  }
  const std::span<const std::byte> data(mapping_ + shared_offset_, size);
  shared_offset_ = wire::next_shared_offset(shared_offset_, size);
  return data;
}

void WorkerProcess::release_data() {
  if (data_.size() < kReleased) return;
  // Only whole pages become a hole.
  const auto start = static_cast<off_t>(data_.data() - mapping_);
  ::fallocate(from_memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start,
              static_cast<off_t>(data_.size()));
}

std::string WorkerProcess::describe_end() {
  pollfd gone{process_.get(), POLLIN, 0};
  if (::poll(&gone, 1, kGraceMilliseconds) == 0) return "closed its channel and went on";
  int status = 0;
  if (reaped_ || ::waitpid(pid_, &status, 0) != pid_) return "ended";
  reaped_ = true;
  if (WIFEXITED(status)) return fmt::format("left with exit code {}", WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* name = ::sigabbrev_np(signal);
  const char* description = ::sigdescr_np(signal);
  if (name == nullptr) return fmt::format("killed by signal {}", signal);
  return fmt::format("killed by SIG{} ({}){}", name, description,
                     signal == SIGKILL ? ", as the system does when memory runs out" : "");
}

std::string WorkerProcess::describe_nonsense() const {
  constexpr std::size_t kShown = 60;
  if (!header_.empty()) return printable(std::as_bytes(std::span(header_.substr(0, kShown))));
  const auto bytes = std::span(received_).subspan(consumed_, filled_ - consumed_);
  return printable(bytes.first(std::min(kShown, bytes.size())));
}

void WorkerProcess::trim_standard_error() const {
  struct stat status {};
  if (::fstat(standard_error_.get(), &status) == 0 && status.st_size > kStandardErrorLimit) {
    static_cast<void>(::ftruncate(standard_error_.get(), 0));
  }
}

std::string WorkerProcess::last_words() const {
  constexpr off_t kShown = 400;
  struct stat status {};
  if (::fstat(standard_error_.get(), &status) != 0 || status.st_size == 0) return {};
  const off_t from = std::max<off_t>(0, status.st_size - kShown);
  std::string text(static_cast<std::size_t>(status.st_size - from), '\0');
  const ssize_t got = ::pread(standard_error_.get(), text.data(), text.size(), from);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  const std::size_t line = text.find('\n');
  if (from > 0 && line + 1 < text.size()) text.erase(0, line + 1);  // the rest of a line cut off
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return printable(std::as_bytes(std::span(text)));
}

}  // namespace deformdiff
