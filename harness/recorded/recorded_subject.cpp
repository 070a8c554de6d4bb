#include "recorded/recorded_subject.h"

#include "blocks/block_list.h"
#include "catalog/address_text.h"
#include "core/comma_list.h"
#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "recorded/recording.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

constexpr std::string_view kRun = "recorded/";

/// "ours:theirs,..." of what is no parameter: those are the case's.
std::string mapping_text(const std::map<std::string, std::string>& mapping) {
  std::string text;
  for (const auto& [ours, theirs] : mapping) {
    if (is_parameter(ours)) continue;
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", ours, theirs);
  }
  return text;
}

std::map<std::string, std::string> parse_mapping(std::string_view text) {
  std::map<std::string, std::string> mapping;
  for (const std::string& part : split_at_commas(text)) {
    const std::size_t colon = part.find(':');
    if (colon == std::string::npos) throw InputError("map: OURS:THEIRS,... wanted");
    mapping.emplace(part.substr(0, colon), part.substr(colon + 1));
  }
  return mapping;
}

class RecordedRunner : public Runner {
 public:
  RecordedRunner(Address address, const BlockDefinition& block, Layout layout,
                 std::map<std::string, std::string> mapping)
      : address_(std::move(address)),
        block_(block),
        layout_(layout),
        mapping_(std::move(mapping)),
        file_(read_safetensors(address_.file)) {}

  SubjectInfo info(Outcome& failure) override {
    failure = {};
    return recorded_info("", block_);
  }

  const std::map<std::string, std::string>& environment() const override { return environment_; }

  void start(std::span<const Case> cases, CallMode) override {
    outcomes_.clear();
    std::ranges::transform(cases, std::back_inserter(outcomes_), [this](const Case& c) { return answer(c); });
  }

  std::vector<Outcome> finish() override { return std::move(outcomes_); }
  void restart() override {}
  std::int64_t workers_started() const override { return 0; }

 private:
  Outcome answer(const Case& c) const {
    std::vector<NamedTensor> parameters;
    std::ranges::copy_if(c.inputs, std::back_inserter(parameters),
                         [](const NamedTensor& input) { return is_parameter(input.name); });
    try {
      const Recording recording = read_recording(file_, block_, layout_, c.attributes, parameters, mapping_);
      const std::string name = address_.tag.empty() ? "recorded" : std::string(kRun) + address_.tag;
      const auto run = std::ranges::find(recording.runs, name, &RecordedRun::name);
      if (run == recording.runs.end()) throw InputError(fmt::format("holds no run {}", name));
      if (!run->unreadable.empty()) throw InputError(run->unreadable);
      SubjectInfo declared;
      apply(address_.declared, declared);
      const DType dtype = case_dtype(*run, declared.precision);
      if (recorded_case(block_, recording, dtype).inputs == c.inputs) return run->outcome;
    } catch (const InputError& error) {
      throw InputError(about(address_.file, error));
    }
    return outcome_of(Outcome::Kind::kUnsupported, "other inputs than were recorded");
  }

  Address address_;
  const BlockDefinition& block_;
  Layout layout_;
  std::map<std::string, std::string> mapping_;
  SafetensorsFile file_;
  std::vector<Outcome> outcomes_;
  std::map<std::string, std::string> environment_;
};

}  // namespace

SubjectInfo recorded_info(const std::string& name, const BlockDefinition& block) {
  SubjectInfo info;
  info.name = name;
  info.blocks = {block.name()};
  info.mixed_dtypes = {DType::kFloat16, DType::kBFloat16};
  return info;
}

SubjectSpec recorded_subject(const std::string& typed) {
  const Address address = parse_address(typed, kRecordedScheme, {"block", "layout", "map"});
  const auto setting = [&](const char* key) {
    const auto found = address.settings.find(key);
    return found == address.settings.end() ? std::string() : found->second;
  };
  const BlockDefinition* block = find_block_definition(setting("block"));
  if (block == nullptr) throw InputError(fmt::format("subject '{}': block=BLOCK is wanted", typed));
  const Layout layout = layout_of({setting("layout"), {}, {}}, {});
  const std::map<std::string, std::string> mapping = parse_mapping(setting("map"));
  SubjectSpec spec;
  spec.name = typed;
  spec.declare = [declared = address.declared](SubjectInfo& info) { apply(declared, info); };
  spec.library = address.file.string();
  spec.make_runner = [=](const WorkerCommand&, const RunLimits&) {
    return std::make_unique<RecordedRunner>(address, *block, layout, mapping);
  };
  spec.one_run = true;
  return spec;
}

SavedCase recorded_finding(const RecordedSource& source, const Finding& finding, const Case& c,
                           const Comparison& comparison) {
  Address address;
  address.file = std::filesystem::absolute(source.file);
  if (source.run.starts_with(kRun)) address.tag = source.run.substr(kRun.size());
  address.settings = {{"block", source.block}, {"layout", std::string(name_of(source.layout))}};
  if (const std::string mapping = mapping_text(source.mapping); !mapping.empty()) {
    address.settings.emplace("map", mapping);
  }
  address.declared = source.declared;
  Subject subject;
  subject.spec = recorded_subject(address_text(kRecordedScheme, address));
  SavedCase saved = saved_case(subject, finding.signature, c, {}, comparison);
  saved.note = finding.one_line;
  return saved;
}

}  // namespace deformdiff
