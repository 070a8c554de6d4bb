#include "core/wire/hello.h"

#include "core/declaration.h"
#include "core/wire/fields.h"

#include <fmt/format.h>

namespace deformdiff::wire {
namespace {

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
  string("fault_class", info.fault_class);
  string("faulty", info.faulty);
  string("trigger", info.trigger);
  string("expected", info.expected);
  text += '}';
}

SubjectInfo decode_subject(const json& text) {
  SubjectInfo info;
  info.name = text_member(text, "name", "subjects");
  const auto blocks = texts(member(text, "blocks", "subjects"), "blocks");
  info.blocks.insert(blocks.begin(), blocks.end());
  info.device = "cpu";
  apply(parse_declaration(text_member(text, "declaration", "subjects")), info);
  info.not_run = text_member(text, "not_run", "subjects");
  if (text.contains("fault_class")) info.fault_class = text_member(text, "fault_class", "subjects");
  info.faulty = text_member(text, "faulty", "subjects");
  info.trigger = text_member(text, "trigger", "subjects");
  info.expected = text_member(text, "expected", "subjects");
  return info;
}

}  // namespace

Message encode(const Hello& message) {
  Packer packer("hello");
  packer.field("protocol") = fmt::format("{}", kProtocol);
  packer.field("refusal") = message.refusal;
  append_array(packer.field("subjects"), message.subjects, append_subject);
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
  for (const json& each : message.array("subjects")) hello.subjects.push_back(decode_subject(each));
  const json environment = message.nested("environment");
  if (!environment.is_object()) refuse("environment", "an object");
  for (const auto& [key, value] : environment.items()) {
    if (!value.is_string()) refuse("environment", "text values");
    hello.environment[key] = value.get_ref<const std::string&>();
  }
  return hello;
}

}  // namespace deformdiff::wire
