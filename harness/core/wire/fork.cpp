#include "core/wire/fork.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>

namespace deformdiff::wire {
namespace {

constexpr std::size_t kLongest = 64 << 10;  ///< of a packet, in bytes
constexpr std::size_t kDescriptors = 8;     ///< at most

union ControlBytes {
  char bytes[CMSG_SPACE(kDescriptors * sizeof(int))];
  cmsghdr alignment;
};

}  // namespace

bool send_fork_request(int socket, std::span<const std::string> words, std::span<const int> descriptors) {
  std::string text;
  for (const std::string& word : words) (text += word) += '\0';
  text += '\0';  // a packet is not empty
  if (text.size() > kLongest || descriptors.size() > kDescriptors) return false;
  iovec part{text.data(), text.size()};
  ControlBytes control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

ForkRequest receive_fork_request(int socket) {
  std::string text(kLongest, '\0');
  iovec part{text.data(), text.size()};
  ControlBytes control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  ssize_t got = -1;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  ForkRequest request;
  if (got <= 0) return request;
  std::string_view rest(text.data(), static_cast<std::size_t>(got) - 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find('\0');
    request.words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  if (const cmsghdr* const header = CMSG_FIRSTHDR(&message)) {
    const std::size_t bytes = header->cmsg_len - CMSG_LEN(0);
    std::array<int, kDescriptors> descriptors{};
    std::memcpy(descriptors.data(), CMSG_DATA(header), bytes);
    for (std::size_t i = 0; i < bytes / sizeof(int); ++i) request.descriptors.emplace_back(descriptors[i]);
  }
  return request;
}

bool send_process(int socket, pid_t process) {
  return ::send(socket, &process, sizeof process, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof process);
}

pid_t receive_process(int socket, int milliseconds) {
  pollfd wait{socket, POLLIN, 0};
  pid_t process = -1;
  const bool came = ::poll(&wait, 1, milliseconds) > 0 &&
                    ::recv(socket, &process, sizeof process, 0) == static_cast<ssize_t>(sizeof process);
  return came ? process : -1;
}

}  // namespace deformdiff::wire
