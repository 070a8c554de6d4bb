// What the parent and a worker say to each other. A message is one frame, laid out as a safetensors file:
// 8 bytes little-endian length of a JSON header, the header, then raw little-endian tensor data. The whole
// protocol is in harness/core/WIRE.md; a worker can be written in any language in about a page.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/outcome.h"
#include "core/subject_info.h"

namespace deformdiff::wire {

constexpr int kProtocol = 1;

/// First message of a worker.
struct Hello {
  std::vector<SubjectInfo> subjects;
  std::map<std::string, std::string> environment;  ///< libtorch, cuda, gpu, cpu_capability, threads, ...
};

/// Parent to worker: run these cases on one subject, in order, answering each as soon as it is done.
struct RunRequest {
  std::string subject;
  bool run_twice = false;  ///< and say whether the bits repeat
  std::vector<Case> cases;
};

/// Worker to parent: the outcome of the case at position `position` of the request.
struct RunResult {
  std::size_t position = 0;
  Outcome outcome;
};

/// A frame's two parts. `data` may be sent behind the header or lie at the start of the shared memory.
struct Frame {
  std::string header;  ///< JSON
  std::vector<std::byte> data;
};

Frame encode(const Hello& message);
Frame encode(const RunRequest& message);
Frame encode(const RunResult& message);

/// Each throws InputError naming the field for anything that is not such a message.
Hello decode_hello(const Frame& frame);
RunRequest decode_run_request(const Frame& frame);
RunResult decode_run_result(const Frame& frame);

/// Bytes of data that the header announces (the largest end offset). Throws InputError.
std::size_t announced_data_size(const std::string& header);

}  // namespace deformdiff::wire
