// Running cases: the parent's request, and the worker's results, one a case.
#pragma once

#include "core/case.h"
#include "core/outcome.h"
#include "core/subject_info.h"
#include "core/wire/frame.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::wire {

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
  /// Only the stages count, and the outcome follows: so they need not all be held at once.
  bool more = false;
};

Message encode(const RunRequest& message);
Message encode(const RunResult& message);

/// As decode_hello().
RunRequest decode_run_request(std::string_view header, std::span<const std::byte> data);
RunResult decode_run_result(std::string_view header, std::span<const std::byte> data);

}  // namespace deformdiff::wire
