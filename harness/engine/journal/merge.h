// Journals of several machines made one.
#pragma once

#include <filesystem>
#include <vector>

namespace deformdiff {

/// Writes a journal with the runs of all folders, and their findings, to `into`; of one name the smaller
/// case. The order of the folders, and a run that several of them hold, change nothing. Throws InputError
/// where the runs drew from other streams of cases, or `into` holds a journal already.
void merge(const std::vector<std::filesystem::path>& folders, const std::filesystem::path& into);

}  // namespace deformdiff
