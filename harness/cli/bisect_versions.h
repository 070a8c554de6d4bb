// The versions that --versions names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace deformdiff::cli {

struct Version {
  std::string address;
  std::filesystem::path file;  ///< of a library; empty where there is none
};

/// From A,B,C: addresses and names of implementations, where a comma inside a declaration is no end, and
/// files, each in place of that in `address`, that of the case. Throws InputError for an empty one, and for a
/// file where the case came from none.
std::vector<Version> parse_versions(const std::string& typed, const std::string& address);

}  // namespace deformdiff::cli
