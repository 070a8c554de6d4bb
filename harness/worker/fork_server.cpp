#include "worker/fork_server.h"

#include "core/wire/fork.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace deformdiff::worker {

std::vector<std::string> serve_forks() {
  FileDescriptor socket(::fcntl(wire::kForkSocket, F_DUPFD_CLOEXEC, wire::kForkDescriptors));
  ::dup2(STDIN_FILENO, wire::kForkSocket);
  while (true) {
    wire::ForkRequest request = wire::receive_fork_request(socket.get());
    if (request.descriptors.empty()) ::_exit(0);
    // A process of a process that ends at once: it is adopted by the program, which is to wait for it.
    int told[2];
    if (::pipe2(told, O_CLOEXEC) != 0) ::_exit(1);
    FileDescriptor from(told[0]), to(told[1]);
    const pid_t between = ::fork();
    if (between == 0) {
      const pid_t self = ::getpid(), process = ::fork();
      if (process != 0) {
        ::setpgid(process, process);
        static_cast<void>(!::write(to.get(), &process, sizeof process));
        ::_exit(0);
      }
      while (::getppid() == self) ::usleep(100);
      for (std::size_t i = 0; i < request.descriptors.size(); ++i) {
        ::dup2(request.descriptors[i].get(), static_cast<int>(i));
      }
      return std::move(request.words);
    }
    to.reset();
    pid_t process = -1;
    ::waitpid(between, nullptr, 0);
    if (between < 0 || ::read(from.get(), &process, sizeof process) != sizeof process) process = -1;
    if (!wire::send_process(socket.get(), process)) ::_exit(0);
  }
}

}  // namespace deformdiff::worker
