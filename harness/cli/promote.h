// A finding's case as one of those that are kept and replayed: cases/README.md, "Life of a case".
#pragma once

#include "core/case_file.h"

#include <filesystem>
#include <string>

namespace deformdiff::cli {

/// The case of a failure that is fixed: every implementation of its block must agree on it, and its signature
/// and SHA-256 say what it came from. Requires a signature.
SavedCase as_regression(SavedCase finding);

/// Writes the case and its companion into `folder`, which is made, as NAME.json. What is there already is
/// never replaced, and a kill at any moment leaves no part of the case. Throws InputError naming the file.
void place_case(const std::filesystem::path& folder, const std::string& name, const SavedCase& saved);

/// Removes a case and its companions.
void remove_case(const std::filesystem::path& path);

}  // namespace deformdiff::cli
