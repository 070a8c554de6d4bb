#include "core/case_file.h"
#include "core/element_text.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "core/sha256.h"
#include "core/strict_json.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// A JSON value with the way to it, for messages.
class Field {
 public:
  Field(const Json& json, const std::string& file, std::string path)
      : json_(json), file_(file), path_(std::move(path)) {}

  [[noreturn]] void refuse(const std::string& why) const {
    throw InputError(fmt::format("{}: {}: {}", file_, path_.empty() ? "the file" : path_, why));
  }

  /// Refuses anything but an object with these fields, those with a '?' in front being optional.
  void want_fields(std::initializer_list<std::string_view> fields) const {
    if (!json_.is_object()) refuse(fmt::format("an object wanted, found {}", json_.type_name()));
    std::size_t known = 0;
    for (std::string_view field : fields) {
      const bool optional = field.starts_with('?');
      if (optional) field.remove_prefix(1);
      if (json_.contains(field)) {
        ++known;
      } else if (!optional) {
        refuse(fmt::format("field '{}' is missing", field));
      }
    }
    if (known == json_.size()) return;
    for (const auto& item : json_.items()) {
      const bool expected = std::ranges::any_of(fields, [&](std::string_view field) {
        return item.key() == (field.starts_with('?') ? field.substr(1) : field);
      });
      if (!expected) refuse(fmt::format("unknown field '{}'", item.key()));
    }
  }

  bool has(const char* key) const { return json_.contains(key); }
  Field at(const char* key) const {
    return {json_.at(key), file_, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key)};
  }

  /// visit(name, field) for each field of an object, in order.
  template <typename Visit>
  void each_field(Visit visit) const {
    if (!json_.is_object()) refuse(fmt::format("an object wanted, found {}", json_.type_name()));
    for (const auto& item : json_.items()) visit(item.key(), at(item.key().c_str()));
  }

  std::size_t size() const {
    if (!json_.is_array()) refuse(fmt::format("a list wanted, found {}", json_.type_name()));
    return json_.size();
  }
  Field element(std::size_t index) const {
    return {json_[index], file_, fmt::format("{}[{}]", path_, index)};
  }

  std::string string() const {
    if (!json_.is_string()) refuse(fmt::format("a string wanted, found {}", json_.type_name()));
    return json_.get<std::string>();
  }
  std::string string_or_empty(const char* key) const { return has(key) ? at(key).string() : std::string(); }

  std::int64_t integer() const {
    std::int64_t value = 0;
    try {
      read_element(json_, DType::kInt64, reinterpret_cast<std::byte*>(&value));
    } catch (const InputError& error) {
      refuse(error.what());
    }
    return value;
  }
  std::uint64_t counter() const {
    if (!json_.is_number_unsigned()) refuse("an integer of at least 0 wanted");
    return json_.get<std::uint64_t>();
  }

  double number() const {
    if (!json_.is_number() || !std::isfinite(json_.get<double>())) refuse("a finite number wanted");
    return json_.get<double>();
  }

  Shape sizes() const {
    Shape sizes(size());
    for (std::size_t i = 0; i < sizes.size(); ++i) sizes[i] = element(i).integer();
    return sizes;
  }

  const Json& json() const { return json_; }

 private:
  const Json& json_;
  const std::string& file_;
  std::string path_;
};

/// Companion files, each read and hashed once.
class Companions {
 public:
  explicit Companions(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The bytes of the tensor that `source` ("file", "sha256", "tensor") names.
  Tensor find(const Field& source, DType dtype) {
    const std::string name = source.at("file").string();
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos) {
      source.at("file").refuse("the name of a file beside this one wanted");
    }
    const Loaded& loaded = load(source, name);
    if (loaded.sha256 != source.at("sha256").string()) {
      source.at("sha256").refuse(
          fmt::format("{} has SHA-256 {}: it is not the file that was saved", name, loaded.sha256));
    }
    const std::string tensor_name = source.at("tensor").string();
    const Tensor* tensor = loaded.content.find(tensor_name);
    if (tensor == nullptr)
      source.at("tensor").refuse(fmt::format("{} holds no tensor '{}'", name, tensor_name));
    if (tensor->dtype() != dtype) {
      source.at("tensor").refuse(fmt::format("{} holds it as {}", name, name_of(tensor->dtype())));
    }
    return *tensor;
  }

 private:
  struct Loaded {
    SafetensorsFile content;
    std::string sha256;
  };

  const Loaded& load(const Field& source, const std::string& name) {
    const auto known = loaded_.find(name);
    if (known != loaded_.end()) return known->second;
    try {
      const std::string content = read_file(folder_ / name);
      const auto bytes = std::as_bytes(std::span(content));
      return loaded_.emplace(name, Loaded{parse_safetensors(bytes, name), sha256_hex(bytes)}).first->second;
    } catch (const InputError& error) {
      source.at("file").refuse(error.what());
    }
  }

  std::filesystem::path folder_;
  std::map<std::string, Loaded> loaded_;
};

std::shared_ptr<const Tensor::Bytes> inline_storage(const Field& data, DType dtype) {
  const std::size_t count = data.size();
  auto bytes = std::make_shared<Tensor::Bytes>(count * size_of(dtype));
  for (std::size_t i = 0; i < count; ++i) {
    try {
      read_element(data.json()[i], dtype, bytes->data() + i * size_of(dtype));
    } catch (const InputError& error) {
      data.element(i).refuse(error.what());
    }
  }
  return bytes;
}

Tensor read_tensor(const Field& field, Companions& companions) {
  const bool is_inline = field.json().is_object() && field.has("data");
  if (is_inline) {
    field.want_fields({"dtype", "shape", "?strides", "?offset", "data"});
  } else {
    field.want_fields({"dtype", "shape", "?strides", "?offset", "file", "sha256", "tensor"});
  }
  const auto dtype = dtype_from_name(field.at("dtype").string());
  if (!dtype) field.at("dtype").refuse("no such dtype");
  std::shared_ptr<const Tensor::Bytes> storage;
  if (is_inline) {
    storage = inline_storage(field.at("data"), *dtype);
  } else {
    const auto bytes = companions.find(field, *dtype).storage();
    storage = std::make_shared<const Tensor::Bytes>(bytes.begin(), bytes.end());
  }
  const Shape shape = field.at("shape").sizes();
  try {
    if (!field.has("strides") && !field.has("offset")) return Tensor(*dtype, shape, *storage);
    const Shape strides = field.has("strides") ? field.at("strides").sizes() : contiguous_strides(shape);
    return Tensor(*dtype, shape, strides, field.has("offset") ? field.at("offset").integer() : 0, storage);
  } catch (const InputError& error) {
    field.refuse(error.what());
  }
}

Provenance read_provenance(const Field& field) {
  field.want_fields({"?generator", "?tier", "?seed", "?index"});
  return {field.string_or_empty("generator"), field.string_or_empty("tier"),
          field.has("seed") ? field.at("seed").counter() : 0,
          field.has("index") ? field.at("index").counter() : 0};
}

/// The fields that are the problem itself; the caller has checked which are there.
Case read_problem(const Field& field, Companions& companions) {
  Case problem;
  problem.block = field.at("block").string();
  field.at("attributes").each_field([&](const std::string& name, const Field& value) {
    problem.attributes.emplace(name, value.number());
  });
  field.at("inputs").each_field([&](const std::string& name, const Field& value) {
    problem.inputs.push_back({name, read_tensor(value, companions)});
  });
  if (field.has("provenance")) problem.provenance = read_provenance(field.at("provenance"));
  return problem;
}

Signature read_signature(const Field& field) {
  field.want_fields({"block", "subject", "rule", "output", "class"});
  if (!verdict_from_name(field.at("rule").string())) field.at("rule").refuse("no such verdict");
  return {field.at("block").string(), field.at("subject").string(), field.at("rule").string(),
          field.at("output").string(), field.at("class").string()};
}

Reproduction read_reproduction(const Field& field) {
  field.want_fields({"seen", "runs"});
  const Reproduction read{field.at("seen").integer(), field.at("runs").integer()};
  if (read.runs < 0) field.at("runs").refuse("a number of runs wanted");
  if (read.seen < 0 || read.seen > read.runs) field.at("seen").refuse("a number of these runs wanted");
  return read;
}

}  // namespace

SavedCase parse_case(std::string_view text, const std::string& file_name,
                     const std::filesystem::path& folder) {
  const Json json = parse_strict_json(text, file_name);
  const Field file(json, file_name, "");
  file.want_fields({"deformdiff_case", "?note", "block", "expect", "?subject", "?subject_sha256",
                    "?signature", "?reproduction", "?provenance", "attributes", "inputs", "?earlier_calls"});
  if (file.at("deformdiff_case").integer() != 1) {
    file.at("deformdiff_case").refuse("only version 1 of the format is known");
  }
  Companions companions(folder);
  SavedCase saved;
  saved.problem = read_problem(file, companions);
  saved.expectation = file.at("expect").string();
  if (!verdict_from_name(saved.expectation)) file.at("expect").refuse("no such verdict");
  saved.subject = file.string_or_empty("subject");
  saved.subject_sha256 = file.string_or_empty("subject_sha256");
  saved.note = file.string_or_empty("note");
  if (file.has("signature")) saved.signature = read_signature(file.at("signature"));
  if (file.has("reproduction")) saved.reproduction = read_reproduction(file.at("reproduction"));
  if (saved.signature && saved.signature->block != saved.problem.block) {
    file.at("signature")
        .refuse(fmt::format("it is of block '{}', the case of '{}'", saved.signature->block,
                            saved.problem.block));
  }
  if (file.has("earlier_calls")) {
    const Field calls = file.at("earlier_calls");
    for (std::size_t i = 0; i < calls.size(); ++i) {
      calls.element(i).want_fields({"block", "attributes", "inputs", "?provenance"});
      saved.earlier_calls.push_back(read_problem(calls.element(i), companions));
    }
  }
  return saved;
}

SavedCase read_case(const std::filesystem::path& path) {
  if (path.extension() == ".safetensors") {
    throw InputError(
        fmt::format("{}: recorded tensors, not a saved case: 'deformdiff judge' takes those", path.string()));
  }
  return parse_case(read_file(path, kLargestText), path.string(), path.parent_path());
}

}  // namespace deformdiff
