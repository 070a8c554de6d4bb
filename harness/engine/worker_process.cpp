#include "engine/worker_process.h"

#include "core/child_processes.h"
#include "core/error.h"
#include "engine/fork_server.h"
#include "engine/start_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

constexpr int kPipeBytes = 1 << 20;
constexpr std::size_t kReadBytes = 64 << 10;
constexpr off_t kStandardErrorLimit = 16 << 20;
constexpr int kSliceMilliseconds = 200;

/// Shared memory of less than this is kept for the next message: asking for it anew costs more.
constexpr std::size_t kReleased = 4 << 20;
constexpr int kGraceMilliseconds = 1000;

/// What limits a program's share of the processor stops it for less at a time.
constexpr std::chrono::milliseconds kStopped{500};

/// Descriptors that a worker is given: 0 to 4.
constexpr int kGiven = 5;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// Where the system refuses a descriptor, the user's limit is why.
[[noreturn]] void fail_for_descriptor(const char* what) {
  if (errno != EMFILE && errno != EINVAL) fail(what);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  throw InputError(
      fmt::format("{}: only {} files may be open at a time: raise the limit, as with 'ulimit -n 1024'", what,
                  limit.rlim_cur));
}

/// Above the descriptors that a worker is given, so that handing out one never overwrites another.
FileDescriptor clear_of_standard(int descriptor) {
  if (descriptor < 0) fail_for_descriptor("a worker's channel");
  const FileDescriptor low(descriptor);
  const int high = ::fcntl(descriptor, F_DUPFD_CLOEXEC, kGiven);
  if (high < 0) fail_for_descriptor("a worker's channel");
  return FileDescriptor(high);
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_for_descriptor("a worker's pipe");
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

using Words = std::vector<std::string>;

/// The workers that there are: what else is below this process was left by one that is gone.
class LiveWorkers {
 public:
  static LiveWorkers& instance() {
    static LiveWorkers workers;
    return workers;
  }

  /// What starts and ends workers holds this, so that none is taken for a leftover.
  std::unique_lock<std::mutex> lock() { return std::unique_lock(mutex_); }

  /// Has workers forked whose command line begins so.
  void serve(const Words& command) { servers_.try_emplace(command); }

  /// argv with `given[i]` as descriptor i, in a group of its own.
  pid_t start(const Words& argv, std::span<const int> given) {
    pid_t pid = -1;
    for (auto& [command, server] : servers_) {
      const std::span words(argv);
      if (words.size() < command.size() || !std::ranges::equal(words.first(command.size()), command))
        continue;
      if (!server) pids.push_back(server.emplace(command).pid());
      pid = server->start(words.subspan(command.size()), given);
      break;
    }
    if (pid < 0) pid = start_process(argv, given);
    pids.push_back(pid);
    return pid;
  }

  std::vector<pid_t> pids;

 private:
  std::mutex mutex_;
  std::map<Words, std::optional<ForkServer>> servers_;  ///< by their commands, from the first worker on
};

/// Signals that come from elsewhere, if not from the process itself: what a program brings about by its own
/// faults ends it in other ways.
bool comes_from_elsewhere(int signal) {
  constexpr std::array kSignals{SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  return std::ranges::find(kSignals, signal) != kSignals.end();
}

/// "SIGSEGV (Segmentation fault)"
std::string text_of_signal(int signal) {
  const char* name = ::sigabbrev_np(signal);
  if (name == nullptr) return fmt::format("signal {}", signal);
  return fmt::format("SIG{} ({})", name, ::sigdescr_np(signal));
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

void fork_workers_of(const std::vector<std::string>& command) {
  LiveWorkers& workers = LiveWorkers::instance();
  const auto lock = workers.lock();
  workers.serve(command);
}

WorkerProcess::WorkerProcess(const std::vector<std::string>& argv, std::int64_t memory_bytes)
    : to_memory_(make_memory()), from_memory_(make_memory()), standard_error_(make_standard_error()) {
  DEFORMDIFF_CHECK(!argv.empty());
  // A write to a worker that has died must be an error, not the end of this process.
  static const auto ignored = std::signal(SIGPIPE, SIG_IGN);
  static_cast<void>(ignored);
  Pipe to, from;
  const int given[] = {to.read.get(), from.write.get(), standard_error_.get(), to_memory_.get(),
                       from_memory_.get()};
  static_assert(wire::kToWorkerMemory == 3 && wire::kFromWorkerMemory == 4 && std::size(given) == kGiven);
  to_worker_ = std::move(to.write);
  from_worker_ = std::move(from.read);
  set_nonblocking(to_worker_.get());
  set_nonblocking(from_worker_.get());
  LiveWorkers& workers = LiveWorkers::instance();
  const auto lock = workers.lock();
  adopt_orphans();
  pid_ = workers.start(argv, given);
  process_ = FileDescriptor(open_process(pid_));
  if (process_.get() < 0) {
    kill_child(pid_, -1);
    std::erase(workers.pids, pid_);
    fail_for_descriptor("a worker's process");
  }
  limit(pid_, RLIMIT_CORE, 0);
  if (memory_bytes > 0) limit(pid_, RLIMIT_DATA, static_cast<rlim_t>(memory_bytes));
}

WorkerProcess::~WorkerProcess() {
  LiveWorkers& workers = LiveWorkers::instance();
  const auto lock = workers.lock();
  // Its group, itself where it has left that, and last what it leaves behind.
  ::kill(-pid_, SIGKILL);
  kill_child(pid_, process_.get());
  std::erase(workers.pids, pid_);
  kill_children(workers.pids);
  if (mapping_ != nullptr) ::munmap(const_cast<std::byte*>(mapping_), mapped_);
}

void WorkerProcess::send(const wire::Message& message) {
  if (heard_of_) words_begin_ = written_to_standard_error();
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
    if (something) continue;
    if (stays_stopped()) return Event::kStopped;
    trim_standard_error();
  }
}

/// 0 if it is not stopped. What a debugger stops is the debugger's.
int WorkerProcess::stopping_signal() const {
  siginfo_t stop{};
  const bool stopped =
      ::waitid(P_PID, static_cast<id_t>(pid_), &stop, WSTOPPED | WNOWAIT | WNOHANG) == 0 && stop.si_pid != 0;
  return stopped ? stop.si_status : 0;
}

bool WorkerProcess::stays_stopped() {
  if (stopping_signal() == 0) {
    seen_stopped_.reset();
    return false;
  }
  if (!seen_stopped_) seen_stopped_ = Clock::now();
  return Clock::now() - *seen_stopped_ >= kStopped;
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
  heard_of_ = true;
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
    mapping_ = nullptr;
    mapped_ = 0;
    // Ahead of what is wanted now, but no more than that again: the size is the worker's word.
    const std::size_t wanted = std::min(static_cast<std::size_t>(status.st_size), 2 * end);
    void* mapping = ::mmap(nullptr, wanted, PROT_READ, MAP_SHARED, from_memory_.get(), 0);
    if (mapping == MAP_FAILED) throw InputError("message: its data is too large to be mapped");
    mapping_ = static_cast<const std::byte*>(mapping);
    mapped_ = wanted;
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

std::string WorkerProcess::describe_stop() const {
  return "stopped by " + text_of_signal(stopping_signal());
}

std::string WorkerProcess::describe_end() const {
  pollfd gone{process_.get(), POLLIN, 0};
  if (::poll(&gone, 1, kGraceMilliseconds) == 0) return "closed its channel and went on";
  siginfo_t end{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOWAIT) != 0) return "ended";
  if (end.si_code == CLD_EXITED) return fmt::format("left with exit code {}", end.si_status);
  return fmt::format("killed by {}{}", text_of_signal(end.si_status),
                     end.si_status == SIGKILL ? ", as the system does when memory runs out" : "");
}

bool WorkerProcess::was_hit_from_outside() const {
  siginfo_t end{};
  const bool gone =
      ::waitid(P_PID, static_cast<id_t>(pid_), &end, WEXITED | WNOWAIT | WNOHANG) == 0 && end.si_pid != 0;
  if (!gone) return is_stopped(pid_);
  return end.si_code == CLD_KILLED && comes_from_elsewhere(end.si_status);
}

std::string WorkerProcess::describe_nonsense() const {
  constexpr std::size_t kShown = 60;
  if (!header_.empty()) return printable(std::as_bytes(std::span(header_.substr(0, kShown))));
  const auto bytes = std::span(received_).subspan(consumed_, filled_ - consumed_);
  return printable(bytes.first(std::min(kShown, bytes.size())));
}

void WorkerProcess::trim_standard_error() const {
  if (written_to_standard_error() > kStandardErrorLimit) {
    static_cast<void>(::ftruncate(standard_error_.get(), 0));
  }
}

std::string WorkerProcess::last_words() const {
  constexpr off_t kFirst = 600, kLast = 400;
  const off_t size = written_to_standard_error();
  const off_t begin = words_begin_ <= size ? words_begin_ : 0;  // else it was emptied since
  std::string text;
  if (size - begin <= kFirst + kLast) {
    text = standard_error(begin, size - begin);
  } else {
    std::string first = standard_error(begin, kFirst);
    std::string last = standard_error(size - kLast, kLast);
    // Whole lines, where there are any.
    if (const std::size_t line = first.rfind('\n'); line != std::string::npos) first.erase(line);
    if (const std::size_t line = last.find('\n'); line + 1 < last.size()) last.erase(0, line + 1);
    text = first + "\n...\n" + last;
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return printable(std::as_bytes(std::span(text)));
}

off_t WorkerProcess::written_to_standard_error() const {
  struct stat status {};
  return ::fstat(standard_error_.get(), &status) == 0 ? status.st_size : 0;
}

std::string WorkerProcess::standard_error(off_t begin, off_t bytes) const {
  std::string text(static_cast<std::size_t>(bytes), '\0');
  const ssize_t got = ::pread(standard_error_.get(), text.data(), text.size(), begin);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  std::erase(text, '\0');  // of a file that was only made longer
  return text;
}

}  // namespace deformdiff
