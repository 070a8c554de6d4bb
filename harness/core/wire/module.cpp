#include "core/wire/module.h"

#include "core/wire/fields.h"

#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::wire {
namespace {

const std::string kParameterPrefix = "parameter.";
const std::string kBufferPrefix = "buffer.";

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

}  // namespace

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
  for (const json& each : message.array("inputs")) module.inputs.push_back(decode_module_input(each));
  module.outputs = texts(message.nested("outputs"), "outputs");
  module.returns = message.field("returns");
  module.training = message.flag("training");
  module.scripted = message.flag("scripted");
  for (const json& each : message.array("audit")) module.audit.push_back(decode_finding(each));
  module.notes = texts(message.nested("notes"), "notes");
  module.unread = texts(message.nested("unread"), "unread");
  return module;
}

}  // namespace deformdiff::wire
