#include "core/tensor_header.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace deformdiff {
namespace {

using nlohmann::json;

constexpr const char* kMetadata = "__metadata__";
constexpr std::array<NarrowInteger, 5> kNarrowIntegers{
    {{"I8", 1, true}, {"I16", 2, true}, {"U16", 2, false}, {"I32", 4, true}, {"U32", 4, false}}};

[[noreturn]] void refuse(std::string_view tensor, const char* field, std::string_view wanted) {
  throw InputError(fmt::format("header: tensor '{}': {}: {} wanted", tensor, field, wanted));
}

const json& member(const json& entry, const std::string& tensor, const char* field) {
  const auto found = entry.find(field);
  if (found == entry.end()) refuse(tensor, field, "missing; it is");
  return *found;
}

DType parse_dtype(const json& entry, const std::string& tensor) {
  const json& dtype = member(entry, tensor, "dtype");
  if (!dtype.is_string()) refuse(tensor, "dtype", "a string");
  const auto& name = dtype.get_ref<const std::string&>();
  const std::optional<DType> known = dtype_from_safetensors_name(name);
  if (!known) refuse(tensor, "dtype", fmt::format("'{}' found; F32, F64, F16, BF16, I64, BOOL or U8", name));
  return *known;
}

Shape parse_shape(const json& entry, const std::string& tensor) {
  const json& extents = member(entry, tensor, "shape");
  if (!extents.is_array()) refuse(tensor, "shape", "an array of extents");
  Shape shape;
  shape.reserve(extents.size());
  for (const json& extent : extents) {
    if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > INT64_MAX) {
      refuse(tensor, "shape", "an array of extents of at least 0");
    }
    shape.push_back(extent.get<std::int64_t>());
  }
  return shape;
}

/// The name of a dtype that we do not know; empty if the entry has one that we know, or something else wrong.
std::string unknown_dtype(const json& entry) {
  const auto dtype = entry.find("dtype");
  if (!entry.is_object() || dtype == entry.end() || !dtype->is_string()) return "";
  const auto& name = dtype->get_ref<const std::string&>();
  return dtype_from_safetensors_name(name) ? "" : name;
}

/// `narrow` is null for a dtype that we know.
TensorEntry parse_entry(const std::string& name, const json& entry, std::size_t data_size,
                        const NarrowInteger* narrow) {
  if (!entry.is_object()) refuse(name, "entry", "an object");
  if (entry.size() != 3) refuse(name, "entry", "exactly dtype, shape and data_offsets");
  TensorEntry result{name, narrow != nullptr ? DType::kInt64 : parse_dtype(entry, name),
                     parse_shape(entry, name)};
  if (narrow != nullptr) result.narrow = narrow->name;
  const json& offsets = member(entry, name, "data_offsets");
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    refuse(name, "data_offsets", "two byte offsets");
  }
  result.begin = offsets[0].get<std::size_t>();
  result.end = offsets[1].get<std::size_t>();
  if (result.begin > result.end || result.end > data_size) {
    refuse(name, "data_offsets",
           fmt::format("[{}, {}] found; offsets inside the {} bytes of data", result.begin, result.end,
                       data_size));
  }
  std::uint64_t bytes = 0;
  const std::size_t size = narrow != nullptr ? narrow->size : size_of(result.dtype);
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(element_count(result.shape)), size, &bytes) ||
      bytes != result.end - result.begin) {
    refuse(name, "data_offsets",
           fmt::format("{} bytes found; what {} of shape {} takes", result.end - result.begin,
                       narrow != nullptr ? narrow->name : name_of(result.dtype), to_string(result.shape)));
  }
  return result;
}

/// Bytes of the UTF-8 character that begins `text`, 0 if it is none (RFC 3629, table in section 4).
std::size_t utf8_length(std::string_view text) {
  const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xF0 && at(1) < 0x90);
  const bool surrogate = lead == 0xED && at(1) > 0x9F;
  const bool too_large = lead == 0xF4 && at(1) > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

}  // namespace

const NarrowInteger* find_narrow_integer(std::string_view name) {
  const auto found = std::ranges::find(kNarrowIntegers, name, &NarrowInteger::name);
  return found == kNarrowIntegers.end() ? nullptr : &*found;
}

TensorHeader parse_tensor_header(std::string_view text, std::size_t data_size, UnknownDTypes* unknown) {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object()) throw InputError("header: a JSON object wanted");
  TensorHeader header;
  header.tensors.reserve(root.size());
  for (const auto& [name, entry] : root.items()) {
    if (name != kMetadata) {
      std::string dtype = unknown != nullptr ? unknown_dtype(entry) : "";
      const NarrowInteger* narrow = find_narrow_integer(dtype);
      if (dtype.empty() || narrow != nullptr) {
        header.tensors.push_back(parse_entry(name, entry, data_size, narrow));
      } else {
        unknown->emplace(name, std::move(dtype));
      }
      continue;
    }
    if (!entry.is_object()) throw InputError("header: __metadata__: an object wanted");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string())
        throw InputError(fmt::format("header: __metadata__: '{}': a string wanted", key));
      header.metadata.emplace_hint(header.metadata.end(), key, value.get_ref<const std::string&>());
    }
  }
  return header;
}

std::string format_tensor_header(const TensorHeader& header) {
  std::string json = "{";
  if (!header.metadata.empty()) {
    append_key(json, kMetadata);
    json += '{';
    for (const auto& [name, text] : header.metadata) {
      append_key(json, name);
      append_json_string(json, text);
    }
    json += '}';
  }
  for (const TensorEntry& entry : header.tensors) {
    append_key(json, entry.name);
    fmt::format_to(std::back_inserter(json), R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                   safetensors_name_of(entry.dtype), fmt::join(entry.shape, ","), entry.begin, entry.end);
  }
  json += '}';
  return json;
}

void append_key(std::string& object, std::string_view key) {
  if (object.back() != '{') object += ',';
  append_json_string(object, key);
  object += ':';
}

void append_json_string(std::string& json, std::string_view text) {
  json += '"';
  const auto is_plain = [](char c) { return c >= 0x20 && c != '"' && c != '\\' && c < 0x7F; };
  while (!text.empty()) {
    const auto plain =
        static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_plain) - text.begin());
    json.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t length = utf8_length(text);
    const char first = text.front();
    if (length == 0) {
      json += "\xEF\xBF\xBD";
    } else if (first == '"' || first == '\\') {
      json += '\\';
      json += first;
    } else if (static_cast<unsigned char>(first) < 0x20) {
      fmt::format_to(std::back_inserter(json), "\\u{:04x}", static_cast<unsigned char>(first));
    } else {
      json.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  json += '"';
}

}  // namespace deformdiff
