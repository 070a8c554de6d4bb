// What the parent and a worker say to each other. A message is one frame, laid out as a safetensors file:
// a JSON header and raw little-endian tensor data. The whole protocol is in harness/core/WIRE.md; a worker
// can be written in any language in about a page.
#pragma once

#include "core/case.h"
#include "core/module_description.h"
#include "core/outcome.h"
#include "core/subject_info.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::wire {

constexpr int kProtocol = 1;

/// Data of more bytes than this lies in the shared memory, not behind the header.
constexpr std::size_t kInlineData = 32 << 10;

/// Descriptors that a worker inherits: shared memory for data it is sent, and for data it sends.
constexpr int kToWorkerMemory = 3;
constexpr int kFromWorkerMemory = 4;

/// Pieces of data in shared memory begin at multiples of this.
constexpr std::size_t kSharedAlignment = 64;

/// Where the next piece of data begins behind one of `size` bytes at `offset`.
constexpr std::size_t next_shared_offset(std::size_t offset, std::size_t size) {
  return (offset + size + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
}

/// First message of a worker.
struct Hello {
  std::vector<SubjectInfo> subjects;
  std::map<std::string, std::string> environment;  ///< libtorch, cuda, gpu, cpu_capability, threads, ...
  std::string refusal;  ///< why the worker cannot serve what it was started for; empty if it can
};

/// Parent to worker: run these cases on one subject, in order, answering each as soon as it is done.
struct RunRequest {
  std::string subject;
  CallMode mode;
  std::vector<Case> cases;  ///< provenance is not sent
};

/// Worker to parent: the outcome of the case at position `position` of the request.
struct RunResult {
  std::size_t position = 0;
  Outcome outcome;
  bool more =
      false;  ///< only the stages count, and the outcome follows: so they need not all be held at once
};

/// Parent to worker: say what the module is that you serve. A worker that serves none takes it for nonsense.
struct DescribeRequest {};

/// A message ready to send. The pieces of data follow one another without gaps and belong to the tensors of
/// the value that was encoded, which must outlive this.
struct Message {
  std::string header;  ///< JSON
  std::vector<std::span<const std::byte>> data;
  std::size_t data_size = 0;
};

Message encode(const Hello& message);
Message encode(const RunRequest& message);
Message encode(const RunResult& message);
Message encode(const DescribeRequest& message);
Message encode(const ModuleDescription& message);

/// Each copies what it needs out of `header` and `data`, which may be any bytes whatever, and throws
/// InputError naming the field for anything that is not such a message.
Hello decode_hello(std::string_view header, std::span<const std::byte> data);
RunRequest decode_run_request(std::string_view header, std::span<const std::byte> data);
RunResult decode_run_result(std::string_view header, std::span<const std::byte> data);
ModuleDescription decode_module_description(std::string_view header, std::span<const std::byte> data);

/// Which message it is: "run", "describe". Throws InputError as the others do.
std::string kind_of_message(std::string_view header, std::span<const std::byte> data);

/// What goes before a header: how many bytes of data and of header there are, each as 8 bytes little-endian.
struct Prelude {
  static constexpr std::size_t kBytes = 16;
  std::uint64_t data_size = 0;
  std::uint64_t header_size = 0;
};

std::array<std::byte, Prelude::kBytes> encode(const Prelude& prelude);

/// Throws InputError for sizes that no message has.
Prelude decode_prelude(std::span<const std::byte, Prelude::kBytes> bytes);

}  // namespace deformdiff::wire
