// A worker as a process and a channel: spawning, sending, receiving, and saying how it ended. Knows frames,
// not what they mean.
#pragma once

#include "core/file_descriptor.h"
#include "core/wire/frame.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace deformdiff {

/// From here on workers whose command line begins so are forked from one that has loaded its libraries: see
/// fork_server.h.
void fork_workers_of(const std::vector<std::string>& command);

/// One process, from its start to its end; not thread-safe. The program has no children but its workers: what
/// else turns up below it was left by one of them, and ends with the next that ends.
class WorkerProcess {
 public:
  using Clock = std::chrono::steady_clock;

  /// Starts argv and returns without waiting for it. `memory_bytes` limits the data that it may allocate; 0
  /// does not. Throws InputError if the program cannot be started at all.
  WorkerProcess(const std::vector<std::string>& argv, std::int64_t memory_bytes);

  /// Kills the process and everything that it started, wherever that has moved to.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  pid_t pid() const { return pid_; }

  /// Never blocks: what the pipe does not take now is sent by receive(). Large data of the message before
  /// must have been read by the worker, which it has when it answered.
  void send(const wire::Message& message);

  enum class Event { kMessage, kEnded, kNonsense, kStopped, kDeadline };

  /// Waits for the next message. What has been written before the worker ended is still received. kStopped
  /// where a signal has stopped it, as SIGSTOP does, and nothing has continued it for half a second.
  Event receive(Clock::time_point deadline);

  /// The message received last; valid until the next receive().
  std::string_view header() const { return header_; }
  std::span<const std::byte> data() const { return data_; }

  /// Gives the memory of large data() back to the system. data() is zeros from here on.
  void release_data();

  /// Large data of messages received from here on lies at the start of the shared memory again.
  void rewind_shared_data() { shared_offset_ = 0; }

  /// After kEnded: how, in words: "killed by SIGSEGV (Segmentation fault)", "left with exit code 3".
  std::string describe_end() const;

  /// After kStopped: "stopped by SIGSTOP (Stopped (signal))".
  std::string describe_stop() const;

  /// After kEnded, kStopped or kDeadline: whether it was killed or stopped by a signal that others send, as a
  /// system does that runs out of memory, so that it need not be its own fault.
  bool was_hit_from_outside() const;

  /// After kNonsense: the bytes at fault, printable.
  std::string describe_nonsense() const;

  /// The first and the last lines that the worker wrote to its standard error since it was started or, once
  /// it has spoken, was sent a message; or nothing.
  std::string last_words() const;

 private:
  bool take_message();
  std::span<const std::byte> shared_data(std::size_t size);
  void flush();
  bool read_channel();
  void trim_standard_error() const;
  off_t written_to_standard_error() const;
  std::string standard_error(off_t begin, off_t bytes) const;
  bool wait(int milliseconds);
  int stopping_signal() const;
  bool stays_stopped();

  pid_t pid_ = -1;
  FileDescriptor process_;  ///< pidfd
  FileDescriptor to_worker_, from_worker_, to_memory_, from_memory_, standard_error_;
  std::string unsent_;
  std::size_t sent_ = 0;
  std::vector<std::byte> received_;
  std::size_t consumed_ = 0, filled_ = 0;  ///< of received_: taken, and read so far
  bool ended_ = false;
  bool heard_of_ = false;  ///< has sent a message
  std::optional<Clock::time_point>
      seen_stopped_;       ///< first, if it was stopped whenever it was looked at since
  off_t words_begin_ = 0;  ///< in its standard error
  const std::byte* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  std::size_t shared_offset_ = 0;
  std::string_view header_;
  std::span<const std::byte> data_;
};

}  // namespace deformdiff
