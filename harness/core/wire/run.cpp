#include "core/wire/run.h"

#include "core/wire/fields.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::wire {
namespace {

/// Before a stage's name, where its value is a tensor of the message.
const std::string kStagePrefix = "stage.";

/// Before an output's name, where its value is that of a call at once with another.
const std::string kAtOncePrefix = "at_once.";
const std::string kPackedPrefix = "packed.";

constexpr std::pair<Outcome::Kind, std::string_view> kKinds[] = {
    {Outcome::Kind::kReturned, "returned"}, {Outcome::Kind::kUnsupported, "unsupported"},
    {Outcome::Kind::kThrew, "threw"},       {Outcome::Kind::kDeviceError, "device_error"},
    {Outcome::Kind::kCrashed, "crashed"},   {Outcome::Kind::kTimedOut, "timed_out"},
    {Outcome::Kind::kNotRun, "not_run"},
};

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
  append_array(text, c.inputs,
               [](std::string& to, const NamedTensor& input) { append_json_string(to, input.name); });
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

double finite_number(const json& value, const char* field) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) refuse(field, "a finite number");
  return value.get<double>();
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

Outcome::Kind decode_kind(std::string_view name) {
  for (const auto& [kind, known] : kKinds) {
    if (known == name) return kind;
  }
  refuse("kind", "a known kind of outcome");
}

}  // namespace

Message encode(const RunRequest& message) {
  Packer packer("run");
  packer.field("subject") = message.subject;
  packer.flag("run_twice", message.mode.twice);
  packer.flag("tap", message.mode.tap);
  packer.flag("at_once", message.mode.at_once);
  packer.flag("packed", message.mode.packed);
  append_array(packer.field("cases"), message.cases, append_case);
  for (std::size_t position = 0; position < message.cases.size(); ++position) {
    for (const auto& [name, tensor] : message.cases[position].inputs) {
      packer.add(fmt::format("{}.{}", position, name), tensor);
    }
  }
  return packer.finish();
}

RunRequest decode_run_request(std::string_view header, Data data) {
  const Unpacker message(header, data, "run");
  RunRequest request{
      message.field("subject"),
      {message.flag("run_twice"), message.flag("tap"), message.flag("at_once"), message.flag("packed")},
      {}};
  for (const json& each : message.array("cases"))
    request.cases.push_back(decode_case(message, each, request.cases.size()));
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
  append_strings(packer.field("other_bits"), outcome.other_bits);
  add_named(packer, "outputs", "", outcome.outputs);
  add_named(packer, "stages", kStagePrefix, outcome.stages);
  if (!outcome.at_once.empty()) add_named(packer, "at_once", kAtOncePrefix, outcome.at_once);
  if (!outcome.packed.empty()) add_named(packer, "packed", kPackedPrefix, outcome.packed);
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
  if (message.has("other_bits")) outcome.other_bits = texts(message.nested("other_bits"), "other_bits");
  outcome.outputs = named_tensors(message, "outputs", "");
  outcome.stages = named_tensors(message, "stages", kStagePrefix);
  if (message.has("at_once")) outcome.at_once = named_tensors(message, "at_once", kAtOncePrefix);
  if (message.has("packed")) outcome.packed = named_tensors(message, "packed", kPackedPrefix);
  return result;
}

}  // namespace deformdiff::wire
