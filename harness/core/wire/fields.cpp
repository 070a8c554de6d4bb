#include "core/wire/fields.h"

#include "core/error.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::wire {

void refuse(std::string_view field, std::string_view wanted) {
  throw InputError(fmt::format("message: {}: {} wanted", field, wanted));
}

void add_named(Packer& packer, const std::string& field, std::string_view prefix,
               const std::vector<NamedTensor>& tensors) {
  std::vector<std::string_view> names;
  for (const auto& [name, tensor] : tensors) {
    names.push_back(name);
    packer.add(std::string(prefix) + name, tensor);
  }
  append_strings(packer.field(field), names);
}

void Packer::add(std::string name, const Tensor& tensor) {
  const Data bytes = tensor.storage();
  Shape shape = tensor.is_contiguous()
                    ? tensor.shape()
                    : Shape{static_cast<std::int64_t>(bytes.size() / size_of(tensor.dtype()))};
  header_.tensors.push_back({std::move(name), tensor.dtype(), std::move(shape), message_.data_size,
                             message_.data_size + bytes.size()});
  message_.data_size += bytes.size();
  if (!bytes.empty()) message_.data.push_back(bytes);
}

Message Packer::finish() {
  message_.header = format_tensor_header(header_);
  return std::move(message_);
}

Unpacker::Unpacker(std::string_view header, Data data, std::string_view kind)
    : header_(parse_tensor_header(header, data.size())), data_(data) {
  if (field("message") != kind) refuse("message", fmt::format("'{}'", kind));
}

const std::string& Unpacker::field(const std::string& name) const {
  const auto found = header_.metadata.find(name);
  if (found == header_.metadata.end()) refuse(name, "missing; text");
  return found->second;
}

bool Unpacker::flag(const std::string& name) const {
  const std::string& text = field(name);
  if (text != "0" && text != "1") refuse(name, "0 or 1");
  return text == "1";
}

json Unpacker::nested(const std::string& name) const {
  json value = json::parse(field(name), nullptr, false);
  if (value.is_discarded()) refuse(name, "JSON as text");
  return value;
}

json Unpacker::array(const std::string& name) const {
  json value = nested(name);
  if (!value.is_array()) refuse(name, "an array");
  return value;
}

const TensorEntry& Unpacker::entry(std::string_view name) const {
  const auto found = std::lower_bound(header_.tensors.begin(), header_.tensors.end(), name,
                                      [](const TensorEntry& e, std::string_view n) { return e.name < n; });
  if (found == header_.tensors.end() || found->name != name) refuse(name, "missing; a tensor");
  return *found;
}

Tensor::Bytes Unpacker::bytes(const TensorEntry& entry) const {
  return {data_.begin() + static_cast<std::ptrdiff_t>(entry.begin),
          data_.begin() + static_cast<std::ptrdiff_t>(entry.end)};
}

const json& member(const json& object, const std::string& key, const char* field) {
  if (!object.is_object()) refuse(field, "an object");
  const auto found = object.find(key);
  if (found == object.end()) refuse(field, fmt::format("member '{}'", key));
  return *found;
}

const std::string& text_member(const json& object, const std::string& key, const char* field) {
  const json& value = member(object, key, field);
  if (!value.is_string()) refuse(field, fmt::format("text as '{}'", key));
  return value.get_ref<const std::string&>();
}

std::vector<std::string> texts(const json& array, const char* field) {
  if (!array.is_array()) refuse(field, "an array of text");
  std::vector<std::string> result;
  for (const json& each : array) {
    if (!each.is_string()) refuse(field, "an array of text");
    result.push_back(each.get_ref<const std::string&>());
  }
  return result;
}

std::int64_t integer(const json& value, const char* field) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
  if (!fits) refuse(field, "an integer of 64 bits");
  return value.get<std::int64_t>();
}

Shape integers(const json& array, const char* field) {
  if (!array.is_array()) refuse(field, "an array of integers");
  Shape result;
  for (const json& each : array) result.push_back(integer(each, field));
  return result;
}

bool flag_member(const json& object, const std::string& key, const char* field) {
  const json& value = member(object, key, field);
  if (!value.is_boolean()) refuse(field, fmt::format("true or false as '{}'", key));
  return value.get<bool>();
}

std::vector<NamedTensor> named_tensors(const Unpacker& message, const std::string& field,
                                       const std::string& prefix) {
  std::vector<NamedTensor> tensors;
  for (std::string& name : texts(message.nested(field), field.c_str())) {
    const TensorEntry& entry = message.entry(prefix + name);
    Tensor tensor(entry.dtype, entry.shape, message.bytes(entry));
    tensors.push_back({std::move(name), std::move(tensor)});
  }
  return tensors;
}

}  // namespace deformdiff::wire
