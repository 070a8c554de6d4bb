// The blocks that a fault shows in, by what of them it gets wrong.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace deformdiff::worker {

std::set<std::string> blocks_with_attribute(const std::string& name);

/// With a parameter whose name ends so, as "self_attn.sampling_offsets.weight".
std::set<std::string> blocks_with_parameter(std::string_view ending);

/// With an input of this name and these axes, as "attention_mask" and "B S".
std::set<std::string> blocks_with_input(std::string_view name, std::string_view axes);

}  // namespace deformdiff::worker
