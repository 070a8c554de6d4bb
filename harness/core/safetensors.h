// Reading and writing safetensors files: 8 bytes little-endian header length, a JSON header, raw
// little-endian data. https://huggingface.co/docs/safetensors describes the format.
#pragma once

#include "core/tensor.h"

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace deformdiff {

struct SafetensorsFile {
  std::map<std::string, std::string> metadata;  ///< "__metadata__"
  std::vector<NamedTensor> tensors;             ///< contiguous, sorted by name
  /// Those of the tensors that are kept as int64, with the narrower dtype that they are stored in: "I32".
  std::map<std::string, std::string> narrow;
  /// Tensors left out, with their dtype, which we do not know.
  std::map<std::string, std::string> unreadable;

  const Tensor* find(std::string_view name) const;  ///< nullptr if there is none
};

/// Throws InputError naming the file, the tensor and the fault. Any bytes whatever are safe to give.
SafetensorsFile read_safetensors(const std::filesystem::path& path);
SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& file_name);

/// The whole file.
std::string safetensors_bytes(const SafetensorsFile& file);

/// Written to a temporary name and renamed, so that no reader sees half a file.
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

}  // namespace deformdiff
