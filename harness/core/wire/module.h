// What the module is that a worker serves: the parent's question and the worker's answer.
#pragma once

#include "core/module_description.h"
#include "core/wire/frame.h"

#include <span>
#include <string_view>

namespace deformdiff::wire {

/// A worker that serves no module takes it for nonsense.
struct DescribeRequest {};

Message encode(const DescribeRequest& message);
Message encode(const ModuleDescription& message);

/// As decode_hello().
ModuleDescription decode_module_description(std::string_view header, std::span<const std::byte> data);

}  // namespace deformdiff::wire
