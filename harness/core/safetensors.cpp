#include "core/safetensors.h"

#include "core/files.h"
#include "core/tensor_header.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

constexpr std::size_t kLengthBytes = 8;

/// Of a file of so many bytes, which begins with these.
std::uint64_t header_length(std::span<const std::byte> bytes, std::uint64_t file_size) {
  constexpr std::string_view kZip = "PK\x03\x04";
  if (bytes.size() >= kZip.size() && std::memcmp(bytes.data(), kZip.data(), kZip.size()) == 0) {
    throw InputError("it is a zip archive, as exported models are: 'deformdiff check' takes those");
  }
  if (bytes.size() < kLengthBytes) throw InputError("header length: the file has fewer than 8 bytes");
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;)
    length = length << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  if (length > file_size - kLengthBytes) {
    throw InputError(fmt::format("header length: {} bytes announced, the file has {}", length, file_size));
  }
  return length;
}

/// The format wants every byte of data in exactly one tensor.
void check_no_holes(std::vector<TensorEntry> entries, std::size_t data_size) {
  std::ranges::sort(entries, [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::size_t at = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != at) {
      throw InputError(
          fmt::format("tensor '{}': its data begin at {}, {} wanted: tensors overlap or leave a hole",
                      entry.name, entry.begin, at));
    }
    at = entry.end;
  }
  if (at != data_size) throw InputError(fmt::format("data: {} bytes behind the last tensor", data_size - at));
}

/// Integers of any size, little-endian, as int64.
Tensor::Bytes widened(std::span<const std::byte> data, const NarrowInteger& narrow) {
  Tensor::Bytes wide(data.size() / narrow.size * sizeof(std::int64_t));
  for (std::size_t i = 0; i < data.size() / narrow.size; ++i) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, data.data() + i * narrow.size, narrow.size);
    const std::uint64_t sign = std::uint64_t{1} << (8 * narrow.size - 1);
    if (narrow.is_signed) bits = (bits ^ sign) - sign;
    std::memcpy(wide.data() + i * sizeof bits, &bits, sizeof bits);
  }
  return wide;
}

/// Of a file of so many bytes; `bytes` holds the header at least.
TensorHeader parse_header(std::span<const std::byte> bytes, std::uint64_t file_size, UnknownDTypes& unknown) {
  const std::uint64_t length = header_length(bytes, file_size);
  const std::uint64_t data_size = file_size - kLengthBytes - length;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
  TensorHeader header = parse_tensor_header(text, data_size, &unknown);
  if (unknown.empty()) check_no_holes(header.tensors, data_size);
  return header;
}

SafetensorsFile parse(std::span<const std::byte> bytes) {
  SafetensorsFile file;
  TensorHeader header = parse_header(bytes, bytes.size(), file.unreadable);
  const auto data = bytes.subspan(kLengthBytes + header_length(bytes, bytes.size()));
  file.metadata = std::move(header.metadata);
  for (TensorEntry& entry : header.tensors) {
    const auto part = data.subspan(entry.begin, entry.end - entry.begin);
    const NarrowInteger* narrow = find_narrow_integer(entry.narrow);
    if (narrow != nullptr) file.narrow.emplace(entry.name, entry.narrow);
    Tensor tensor(entry.dtype, std::move(entry.shape),
                  narrow != nullptr ? widened(part, *narrow) : Tensor::Bytes(part.begin(), part.end()));
    file.tensors.push_back({std::move(entry.name), std::move(tensor)});
  }
  return file;
}

/// Refuses a regular file whose size is not what its header says, before memory is taken for its data.
void check_size(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return;
  const std::uint64_t size = std::filesystem::file_size(path);
  const std::string start = read_start(path, kLengthBytes);
  const std::uint64_t length = header_length(std::as_bytes(std::span(start)), size);
  if (length > kLargestText) throw InputError(fmt::format("header length: {} bytes announced", length));
  const std::string header = read_start(path, kLengthBytes + length);
  UnknownDTypes unknown;
  parse_header(std::as_bytes(std::span(header)), size, unknown);
}

}  // namespace

const Tensor* SafetensorsFile::find(std::string_view name) const {
  return find_tensor(tensors, name);
}

SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, const std::string& file_name) {
  try {
    return parse(bytes);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", file_name, error.what()));
  }
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) {
  try {
    check_size(path);
  } catch (const InputError& error) {
    throw InputError(about(path, error));
  }
  const std::string content = read_file(path);
  return parse_safetensors(std::as_bytes(std::span(content)), path.string());
}

std::string safetensors_bytes(const SafetensorsFile& file) {
  TensorHeader header{file.metadata, {}};
  std::vector<Tensor> contiguous;
  std::size_t at = 0;
  for (const NamedTensor& named : file.tensors) {
    const Tensor& tensor = contiguous.emplace_back(named.tensor.contiguous());
    const std::size_t end = at + tensor.storage().size();
    header.tensors.push_back({named.name, tensor.dtype(), tensor.shape(), at, end});
    at = end;
  }
  std::string text = format_tensor_header(header);
  // Spaces up to a multiple of eight, so that a reader may map the data.
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  std::string bytes;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    bytes += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i) & 0xff);
  }
  bytes += text;
  for (const Tensor& tensor : contiguous) {
    const auto storage = tensor.storage();
    bytes.append(reinterpret_cast<const char*>(storage.data()), storage.size());
  }
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  write_file(path, safetensors_bytes(file));
}

}  // namespace deformdiff
