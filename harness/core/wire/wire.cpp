#include "core/wire/wire.h"

#include "core/declaration.h"
#include "core/tensor_header.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace deformdiff::wire {
namespace {

using nlohmann::json;
using Data = std::span<const std::byte>;

/// Before a stage's name, where its value is a tensor of the message.
const std::string kStagePrefix = "stage.";
const std::string kParameterPrefix = "parameter.";
const std::string kBufferPrefix = "buffer.";

constexpr std::uint64_t kMaxHeader = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxData = std::uint64_t{1} << 46;

constexpr std::pair<Outcome::Kind, std::string_view> kKinds[] = {
    {Outcome::Kind::kReturned, "returned"}, {Outcome::Kind::kUnsupported, "unsupported"},
    {Outcome::Kind::kThrew, "threw"},       {Outcome::Kind::kDeviceError, "device_error"},
    {Outcome::Kind::kCrashed, "crashed"},   {Outcome::Kind::kTimedOut, "timed_out"},
    {Outcome::Kind::kNotRun, "not_run"},
};

[[noreturn]] void refuse(std::string_view field, std::string_view wanted) {
  throw InputError(fmt::format("message: {}: {} wanted", field, wanted));
}

// Writing.

void append_key(std::string& text, std::string_view key) {
  if (text.back() != '{') text += ',';
  append_json_string(text, key);
  text += ':';
}

void append_strings(std::string& text, const auto& strings) {
  text += '[';
  for (const auto& each : strings) {
    if (text.back() != '[') text += ',';
    append_json_string(text, each);
  }
  text += ']';
}

/// Collects tensors: entries for the header, pieces for the data.
class Packer {
 public:
  explicit Packer(std::string_view kind) { header_.metadata["message"] = kind; }

  std::string& field(const std::string& name) { return header_.metadata[name]; }

  void flag(const std::string& name, bool value) { field(name) = value ? "1" : "0"; }

  /// The whole storage; as a flat tensor where it is a view.
  void add(std::string name, const Tensor& tensor) {
    const Data bytes = tensor.storage();
    Shape shape = tensor.is_contiguous()
                      ? tensor.shape()
                      : Shape{static_cast<std::int64_t>(bytes.size() / size_of(tensor.dtype()))};
    header_.tensors.push_back({std::move(name), tensor.dtype(), std::move(shape), message_.data_size,
                               message_.data_size + bytes.size()});
    message_.data_size += bytes.size();
    if (!bytes.empty()) message_.data.push_back(bytes);
  }

  Message finish() {
    message_.header = format_tensor_header(header_);
    return std::move(message_);
  }

 private:
  TensorHeader header_;
  Message message_;
};

/// Tensors under prefixed names, and a field with the names in order.
void add_named(Packer& packer, const std::string& field, std::string_view prefix,
               const std::vector<NamedTensor>& tensors) {
  std::vector<std::string_view> names;
  for (const auto& [name, tensor] : tensors) {
    names.push_back(name);
    packer.add(std::string(prefix) + name, tensor);
  }
  append_strings(packer.field(field), names);
}

void append_module_input(std::string& text, const ModuleInput& input) {
  text += '{';
  append_key(text, "name");
  append_json_string(text, input.name);
  append_key(text, "type");
  append_json_string(text, input.type);
  append_key(text, "tensor");
  text += input.tensor ? "true" : "false";
  if (input.traced) {
    append_key(text, "traced");
    fmt::format_to(std::back_inserter(text), "[{}]", fmt::join(*input.traced, ","));
  }
  text += '}';
}

void append_finding(std::string& text, const AuditFinding& finding) {
  text += '{';
  const std::pair<std::string_view, const std::string*> members[] = {{"kind", &finding.kind},
                                                                     {"detail", &finding.detail},
                                                                     {"line", &finding.line},
                                                                     {"scope", &finding.scope}};
  for (const auto& [key, value] : members) {
    append_key(text, key);
    append_json_string(text, *value);
  }
  text += '}';
}

void append_array(std::string& text, const auto& values, const auto& append) {
  text += '[';
  for (const auto& each : values) {
    if (text.back() != '[') text += ',';
    append(text, each);
  }
  text += ']';
}

void append_case(std::string& text, const Case& c) {
  text += '{';
  append_key(text, "block");
  append_json_string(text, c.block);
  append_key(text, "attributes");
  text += '{';
  for (const auto& [name, value] : c.attributes) {
    append_key(text, name);
    fmt::format_to(std::back_inserter(text), "{}", value);
  }
  text += '}';
  append_key(text, "inputs");
  text += '[';
  for (const auto& [name, tensor] : c.inputs) {
    if (text.back() != '[') text += ',';
    append_json_string(text, name);
  }
  text += ']';
  for (const auto& [name, tensor] : c.inputs) {
    // Strides of a tensor that fills its storage in order say nothing, unless an extent of 0 or 1 hides
    // others.
    if (tensor.is_contiguous() && tensor.strides() == contiguous_strides(tensor.shape())) continue;
    append_key(text, "view." + name);
    fmt::format_to(std::back_inserter(text), R"({{"shape":[{}],"strides":[{}],"offset":{}}})",
                   fmt::join(tensor.shape(), ","), fmt::join(tensor.strides(), ","), tensor.offset());
  }
  text += '}';
}

void append_subject(std::string& text, const SubjectInfo& info) {
  text += '{';
  const auto string = [&text](std::string_view key, std::string_view value) {
    append_key(text, key);
    append_json_string(text, value);
  };
  string("name", info.name);
  append_key(text, "blocks");
  append_strings(text, info.blocks);
  string("declaration", declaration_of(info));
  string("not_run", info.not_run);
  string("faulty", info.faulty);
  string("trigger", info.trigger);
  string("expected", info.expected);
  text += '}';
}

// Reading.

/// A parsed header beside its data.
class Unpacker {
 public:
  Unpacker(std::string_view header, Data data, std::string_view kind)
      : header_(parse_tensor_header(header, data.size())), data_(data) {
    if (field("message") != kind) refuse("message", fmt::format("'{}'", kind));
  }

  const std::string& field(const std::string& name) const {
    const auto found = header_.metadata.find(name);
    if (found == header_.metadata.end()) refuse(name, "missing; text");
    return found->second;
  }

  template <typename Number>
  Number number(const std::string& name) const {
    const std::string& text = field(name);
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) refuse(name, "a number");
    return value;
  }

  bool flag(const std::string& name) const {
    const std::string& text = field(name);
    if (text != "0" && text != "1") refuse(name, "0 or 1");
    return text == "1";
  }

  json nested(const std::string& name) const {
    json value = json::parse(field(name), nullptr, false);
    if (value.is_discarded()) refuse(name, "JSON as text");
    return value;
  }

  const TensorEntry& entry(std::string_view name) const {
    const auto found = std::lower_bound(header_.tensors.begin(), header_.tensors.end(), name,
                                        [](const TensorEntry& e, std::string_view n) { return e.name < n; });
    if (found == header_.tensors.end() || found->name != name) refuse(name, "missing; a tensor");
    return *found;
  }

  Tensor::Bytes bytes(const TensorEntry& entry) const {
    return {data_.begin() + static_cast<std::ptrdiff_t>(entry.begin),
            data_.begin() + static_cast<std::ptrdiff_t>(entry.end)};
  }

 private:
  TensorHeader header_;
  Data data_;
};

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

double finite_number(const json& value, const char* field) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) refuse(field, "a finite number");
  return value.get<double>();
}

Shape integers(const json& array, const char* field) {
  if (!array.is_array()) refuse(field, "an array of integers");
  Shape result;
  for (const json& each : array) result.push_back(integer(each, field));
  return result;
}

Case decode_case(const Unpacker& message, const json& text, std::size_t position) {
  Case c;
  c.block = text_member(text, "block", "cases");
  const json& attributes = member(text, "attributes", "cases");
  if (!attributes.is_object()) refuse("cases", "an object as 'attributes'");
  for (const auto& [name, value] : attributes.items())
    c.attributes[name] = finite_number(value, "attributes");
  for (std::string& name : texts(member(text, "inputs", "cases"), "inputs")) {
    const TensorEntry& entry = message.entry(fmt::format("{}.{}", position, name));
    const auto view = text.find("view." + name);
    Tensor tensor = view == text.end()
                        ? Tensor(entry.dtype, entry.shape, message.bytes(entry))
                        : Tensor(entry.dtype, integers(member(*view, "shape", "view"), "view shape"),
                                 integers(member(*view, "strides", "view"), "view strides"),
                                 integer(member(*view, "offset", "view"), "view offset"),
                                 std::make_shared<const Tensor::Bytes>(message.bytes(entry)));
    c.inputs.push_back({std::move(name), std::move(tensor)});
  }
  return c;
}

SubjectInfo decode_subject(const json& text) {
  SubjectInfo info;
  info.name = text_member(text, "name", "subjects");
  const auto blocks = texts(member(text, "blocks", "subjects"), "blocks");
  info.blocks.insert(blocks.begin(), blocks.end());
  info.device = "cpu";
  apply(parse_declaration(text_member(text, "declaration", "subjects")), info);
  info.not_run = text_member(text, "not_run", "subjects");
  info.faulty = text_member(text, "faulty", "subjects");
  info.trigger = text_member(text, "trigger", "subjects");
  info.expected = text_member(text, "expected", "subjects");
  return info;
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

ModuleInput decode_module_input(const json& text) {
  ModuleInput input{text_member(text, "name", "inputs"),
                    text_member(text, "type", "inputs"),
                    flag_member(text, "tensor", "inputs"),
                    {}};
  if (const auto traced = text.find("traced"); traced != text.end()) {
    input.traced = integers(*traced, "traced");
  }
  return input;
}

AuditFinding decode_finding(const json& text) {
  return {text_member(text, "kind", "audit"), text_member(text, "detail", "audit"),
          text_member(text, "line", "audit"), text_member(text, "scope", "audit")};
}

Outcome::Kind decode_kind(std::string_view name) {
  for (const auto& [kind, known] : kKinds) {
    if (known == name) return kind;
  }
  refuse("kind", "a known kind of outcome");
}

}  // namespace

Message encode(const Hello& message) {
  Packer packer("hello");
  packer.field("protocol") = fmt::format("{}", kProtocol);
  packer.field("refusal") = message.refusal;
  std::string& subjects = packer.field("subjects");
  subjects = '[';
  for (const SubjectInfo& info : message.subjects) {
    if (subjects.back() != '[') subjects += ',';
    append_subject(subjects, info);
  }
  subjects += ']';
  std::string& environment = packer.field("environment");
  environment = '{';
  for (const auto& [key, value] : message.environment) {
    append_key(environment, key);
    append_json_string(environment, value);
  }
  environment += '}';
  return packer.finish();
}

Hello decode_hello(std::string_view header, Data data) {
  const Unpacker message(header, data, "hello");
  if (message.number<int>("protocol") != kProtocol) refuse("protocol", fmt::format("{}", kProtocol));
  Hello hello;
  hello.refusal = message.field("refusal");
  const json subjects = message.nested("subjects");
  if (!subjects.is_array()) refuse("subjects", "an array");
  for (const json& each : subjects) hello.subjects.push_back(decode_subject(each));
  const json environment = message.nested("environment");
  if (!environment.is_object()) refuse("environment", "an object");
  for (const auto& [key, value] : environment.items()) {
    if (!value.is_string()) refuse("environment", "text values");
    hello.environment[key] = value.get_ref<const std::string&>();
  }
  return hello;
}

Message encode(const RunRequest& message) {
  Packer packer("run");
  packer.field("subject") = message.subject;
  packer.flag("run_twice", message.mode.twice);
  packer.flag("tap", message.mode.tap);
  std::string& cases = packer.field("cases");
  cases = '[';
  for (std::size_t position = 0; position < message.cases.size(); ++position) {
    const Case& c = message.cases[position];
    if (position != 0) cases += ',';
    append_case(cases, c);
    for (const auto& [name, tensor] : c.inputs) packer.add(fmt::format("{}.{}", position, name), tensor);
  }
  cases += ']';
  return packer.finish();
}

RunRequest decode_run_request(std::string_view header, Data data) {
  const Unpacker message(header, data, "run");
  RunRequest request{message.field("subject"), {message.flag("run_twice"), message.flag("tap")}, {}};
  const json cases = message.nested("cases");
  if (!cases.is_array()) refuse("cases", "an array");
  for (const json& each : cases) request.cases.push_back(decode_case(message, each, request.cases.size()));
  return request;
}

Message encode(const RunResult& message) {
  const Outcome& outcome = message.outcome;
  Packer packer("result");
  packer.field("position") = fmt::format("{}", message.position);
  packer.flag("more", message.more);
  const auto kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                 [&](const auto& row) { return row.first == outcome.kind; });
  DEFORMDIFF_CHECK(kind != std::end(kKinds));
  packer.field("kind") = kind->second;
  packer.field("text") = outcome.message;
  packer.field("seconds") = fmt::format("{}", outcome.seconds);
  packer.field("overran") = outcome.overran;
  packer.field("modified") = outcome.modified;
  packer.field("unwritten_output") = outcome.unwritten_output;
  packer.field("first_unwritten") = fmt::format("{}", outcome.first_unwritten);
  packer.flag("ran_twice", outcome.ran_twice);
  packer.flag("repeated_bits", outcome.repeated_bits);
  add_named(packer, "outputs", "", outcome.outputs);
  add_named(packer, "stages", kStagePrefix, outcome.stages);
  return packer.finish();
}

RunResult decode_run_result(std::string_view header, Data data) {
  const Unpacker message(header, data, "result");
  RunResult result;
  result.position = message.number<std::size_t>("position");
  result.more = message.flag("more");
  Outcome& outcome = result.outcome;
  outcome.kind = decode_kind(message.field("kind"));
  outcome.message = message.field("text");
  outcome.seconds = message.number<double>("seconds");
  outcome.overran = message.field("overran");
  outcome.modified = message.field("modified");
  outcome.unwritten_output = message.field("unwritten_output");
  outcome.first_unwritten = message.number<std::int64_t>("first_unwritten");
  outcome.ran_twice = message.flag("ran_twice");
  outcome.repeated_bits = message.flag("repeated_bits");
  outcome.outputs = named_tensors(message, "outputs", "");
  outcome.stages = named_tensors(message, "stages", kStagePrefix);
  return result;
}

Message encode(const DescribeRequest&) {
  return Packer("describe").finish();
}

Message encode(const ModuleDescription& message) {
  Packer packer("description");
  add_named(packer, "parameters", kParameterPrefix, message.parameters);
  add_named(packer, "buffers", kBufferPrefix, message.buffers);
  append_array(packer.field("inputs"), message.inputs, append_module_input);
  append_strings(packer.field("outputs"), message.outputs);
  packer.field("returns") = message.returns;
  packer.flag("training", message.training);
  packer.flag("scripted", message.scripted);
  append_array(packer.field("audit"), message.audit, append_finding);
  append_strings(packer.field("notes"), message.notes);
  append_strings(packer.field("unread"), message.unread);
  return packer.finish();
}

ModuleDescription decode_module_description(std::string_view header, Data data) {
  const Unpacker message(header, data, "description");
  ModuleDescription module;
  module.parameters = named_tensors(message, "parameters", kParameterPrefix);
  module.buffers = named_tensors(message, "buffers", kBufferPrefix);
  const json inputs = message.nested("inputs"), audit = message.nested("audit");
  if (!inputs.is_array()) refuse("inputs", "an array");
  for (const json& each : inputs) module.inputs.push_back(decode_module_input(each));
  module.outputs = texts(message.nested("outputs"), "outputs");
  module.returns = message.field("returns");
  module.training = message.flag("training");
  module.scripted = message.flag("scripted");
  if (!audit.is_array()) refuse("audit", "an array");
  for (const json& each : audit) module.audit.push_back(decode_finding(each));
  module.notes = texts(message.nested("notes"), "notes");
  module.unread = texts(message.nested("unread"), "unread");
  return module;
}

std::string kind_of_message(std::string_view header, Data data) {
  const TensorHeader parsed = parse_tensor_header(header, data.size());
  const auto found = parsed.metadata.find("message");
  if (found == parsed.metadata.end()) refuse("message", "missing; text");
  return found->second;
}

std::array<std::byte, Prelude::kBytes> encode(const Prelude& prelude) {
  std::array<std::byte, Prelude::kBytes> bytes;
  std::memcpy(bytes.data(), &prelude.data_size, 8);
  std::memcpy(bytes.data() + 8, &prelude.header_size, 8);
  return bytes;
}

Prelude decode_prelude(std::span<const std::byte, Prelude::kBytes> bytes) {
  Prelude prelude;
  std::memcpy(&prelude.data_size, bytes.data(), 8);
  std::memcpy(&prelude.header_size, bytes.data() + 8, 8);
  if (prelude.data_size > kMaxData || prelude.header_size > kMaxHeader || prelude.header_size < 2) {
    throw InputError("message: its first 16 bytes are no sizes");
  }
  return prelude;
}

}  // namespace deformdiff::wire
