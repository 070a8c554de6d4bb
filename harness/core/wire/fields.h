// What every message is written and read with. For the files of this folder only: JSON stays in here.
#pragma once

#include "core/tensor.h"
#include "core/tensor_header.h"
#include "core/wire/frame.h"

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace deformdiff::wire {

using nlohmann::json;
using Data = std::span<const std::byte>;

/// Throws the InputError that names the field.
[[noreturn]] void refuse(std::string_view field, std::string_view wanted);

// Writing.

/// Values in brackets, each written by append(text, value).
void append_array(std::string& text, const auto& values, const auto& append) {
  text += '[';
  for (const auto& each : values) {
    if (text.back() != '[') text += ',';
    append(text, each);
  }
  text += ']';
}

void append_strings(std::string& text, const auto& strings) {
  append_array(text, strings, append_json_string);
}

/// Collects a message's fields and tensors: entries for the header, pieces for the data.
class Packer {
 public:
  explicit Packer(std::string_view kind) { field("message") = kind; }

  std::string& field(const std::string& name) { return header_.metadata[name]; }
  void flag(const std::string& name, bool value) { field(name) = value ? "1" : "0"; }

  /// The whole storage; as a flat tensor where it is a view.
  void add(std::string name, const Tensor& tensor);

  Message finish();

 private:
  TensorHeader header_;
  Message message_;
};

/// Tensors under prefixed names, and a field with the names in order.
void add_named(Packer& packer, const std::string& field, std::string_view prefix,
               const std::vector<NamedTensor>& tensors);

// Reading. `field` is what a refusal names.

/// A parsed header beside its data. What is missing or of another kind is refused.
class Unpacker {
 public:
  Unpacker(std::string_view header, Data data, std::string_view kind);

  const std::string& field(const std::string& name) const;
  bool flag(const std::string& name) const;
  bool has(const std::string& name) const { return header_.metadata.contains(name); }
  json nested(const std::string& name) const;
  json array(const std::string& name) const;
  const TensorEntry& entry(std::string_view name) const;
  Tensor::Bytes bytes(const TensorEntry& entry) const;

  template <typename Number>
  Number number(const std::string& name) const {
    const std::string& text = field(name);
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) refuse(name, "a number");
    return value;
  }

 private:
  TensorHeader header_;
  Data data_;
};

/// Of an object.
const json& member(const json& object, const std::string& key, const char* field);
const std::string& text_member(const json& object, const std::string& key, const char* field);
bool flag_member(const json& object, const std::string& key, const char* field);

std::int64_t integer(const json& value, const char* field);
Shape integers(const json& array, const char* field);
std::vector<std::string> texts(const json& array, const char* field);

/// What add_named() wrote.
std::vector<NamedTensor> named_tensors(const Unpacker& message, const std::string& field,
                                       const std::string& prefix);

}  // namespace deformdiff::wire
