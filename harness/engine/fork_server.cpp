#include "engine/fork_server.h"

#include "core/child_processes.h"
#include "core/error.h"
#include "core/wire/fork.h"
#include "engine/start_process.h"

#include <array>
#include <fcntl.h>
#include <sys/socket.h>

namespace deformdiff {
namespace {

/// Long enough for LibTorch from a slow disk.
constexpr int kPatienceMilliseconds = 60'000;

}  // namespace

ForkServer::ForkServer(const std::vector<std::string>& command) {
  int ends[2];
  const FileDescriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (nothing.get() < 0 || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw InputError("the channel of a fork server cannot be opened");
  }
  socket_ = FileDescriptor(ends[0]);
  const FileDescriptor theirs(ends[1]);
  // Above those that it is given, so that handing out one never overwrites another.
  const FileDescriptor high(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, wire::kForkDescriptors));
  std::array<int, wire::kForkDescriptors> given;
  given.fill(nothing.get());
  given[wire::kForkSocket] = high.get();
  std::vector<std::string> words = command;
  words.emplace_back(wire::kForkServer);
  pid_ = start_process(words, given);
}

ForkServer::~ForkServer() {
  kill_child(pid_, FileDescriptor(open_process(pid_)).get());
}

pid_t ForkServer::start(std::span<const std::string> words, std::span<const int> given) {
  if (socket_.get() < 0) return -1;
  const bool asked = wire::send_fork_request(socket_.get(), words, given);
  const pid_t process = asked ? wire::receive_process(socket_.get(), kPatienceMilliseconds) : -1;
  if (process < 0) socket_.reset();
  return process;
}

}  // namespace deformdiff
