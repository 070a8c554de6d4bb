// What a worker says first.
#pragma once

#include "core/subject_info.h"
#include "core/wire/frame.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::wire {

constexpr int kProtocol = 1;

/// First message of a worker.
struct Hello {
  std::vector<SubjectInfo> subjects;
  std::map<std::string, std::string> environment;  ///< libtorch, cuda, gpu, cpu_capability, threads, ...
  std::string refusal;  ///< why the worker cannot serve what it was started for; empty if it can
};

Message encode(const Hello& message);

/// Copies what it needs out of `header` and `data`, which may be any bytes whatever, and throws InputError
/// naming the field for anything that is no such message.
Hello decode_hello(std::string_view header, std::span<const std::byte> data);

}  // namespace deformdiff::wire
