// One process at a time in a folder.
#pragma once

#include "core/file_descriptor.h"

#include <filesystem>

namespace deformdiff {

/// Held until it is destroyed or the process ends, however it ends.
class FolderLock {
 public:
  /// Takes the folder, which must exist. Throws InputError naming the process that has it.
  explicit FolderLock(const std::filesystem::path& folder);

 private:
  FileDescriptor file_;
};

}  // namespace deformdiff
