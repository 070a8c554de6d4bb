// What a program and its fork server say to each other: one packet for each process that is to start, with
// the descriptors that it is given, and one with its process id. Both ends are of one build.
#pragma once

#include "core/file_descriptor.h"
#include "core/wire/frame.h"

#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace deformdiff::wire {

/// The word behind the program's name that makes it a fork server.
constexpr const char* kForkServer = "--fork-server";

/// The descriptor of the server's end, a socket of packets. The server is given as many as its processes are,
/// so that what it receives lies above these.
constexpr int kForkSocket = kToWorkerMemory;
constexpr int kForkDescriptors = kFromWorkerMemory + 1;

struct ForkRequest {
  std::vector<std::string> words;           ///< of the command line, without the program's name
  std::vector<FileDescriptor> descriptors;  ///< 0, 1, ... of the process
};

/// False where the other end is gone, or the words are too many for a packet.
bool send_fork_request(int socket, std::span<const std::string> words, std::span<const int> descriptors);

/// Waits for one; without words and descriptors where the other end is gone.
ForkRequest receive_fork_request(int socket);

/// False where the other end is gone.
bool send_process(int socket, pid_t process);

/// Waits up to `milliseconds`; -1 where none came.
pid_t receive_process(int socket, int milliseconds);

}  // namespace deformdiff::wire
