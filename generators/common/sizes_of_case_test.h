// What conditions may speak of in a case.
#pragma once

#include "core/block.h"
#include "core/case.h"

#include <cstdint>
#include <map>
#include <string>

namespace deformdiff {

/// Its dimensions, and its attributes as whole numbers.
inline std::map<std::string, std::int64_t> sizes_of_case(const Block& block, const Case& c) {
  std::map<std::string, std::int64_t> sizes = block.dimensions(c);
  for (const auto& [name, value] : c.attributes) sizes[name] = static_cast<std::int64_t>(value);
  return sizes;
}

}  // namespace deformdiff
