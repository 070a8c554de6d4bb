#include "recorded/recorded.h"

#include "core/error.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

constexpr std::string_view kInput = "in.";
constexpr std::string_view kOutput = "out.";

class Reader {
 public:
  Reader(const SafetensorsFile& file, const std::map<std::string, std::string>& mapping)
      : file_(file), mapping_(mapping) {}

  /// The first of these names that the file has; empty if it has none.
  std::string first_of(std::initializer_list<std::string> names) const {
    for (const std::string& name : names) {
      if (file_.find(name) != nullptr) return name;
      if (const auto dtype = file_.unreadable.find(name); dtype != file_.unreadable.end()) {
        throw InputError(
            fmt::format("tensor '{}' has dtype {}; it can be judged as F32, F64, F16, BF16, I64, BOOL or U8",
                        name, dtype->second));
      }
    }
    return "";
  }

  const Tensor& take(const std::string& name) {
    used_.insert(name);
    return *file_.find(name);
  }

  /// What the file calls our tensor, if --map says so.
  std::string mapped(const std::string& ours, std::string_view prefix) const {
    for (const std::string& key : {ours, std::string(prefix) + ours}) {
      if (const auto found = mapping_.find(key); found != mapping_.end()) return found->second;
    }
    return "";
  }

  const Tensor& input(const std::string& ours) {
    const std::string theirs = mapped(ours, kInput);
    const std::string wanted = theirs.empty() ? ours : theirs;
    const std::string name = first_of({"in." + wanted, wanted});
    if (name.empty()) {
      throw InputError(
          fmt::format("required tensor '{}' is missing: 'in.{}' or '{}' wanted; --map {}=NAME gives it "
                      "another name",
                      ours, wanted, wanted, ours));
    }
    return take(name);
  }

  /// Tags T of tensors "out.T.NAME".
  std::vector<std::string> tags(const std::string& name) const {
    std::vector<std::string> tags;
    const std::string end = "." + name;
    for (const NamedTensor& tensor : file_.tensors) {
      const std::string_view full = tensor.name;
      if (full.starts_with(kOutput) && full.ends_with(end) && full.size() > kOutput.size() + end.size()) {
        tags.emplace_back(full.substr(kOutput.size(), full.size() - kOutput.size() - end.size()));
      }
    }
    return tags;
  }

  std::vector<std::string> unused() const {
    std::vector<std::string> names;
    for (const NamedTensor& tensor : file_.tensors) {
      if (!used_.contains(tensor.name)) names.push_back(tensor.name);
    }
    for (const auto& [name, dtype] : file_.unreadable) names.push_back(fmt::format("{} ({})", name, dtype));
    return names;
  }

 private:
  const SafetensorsFile& file_;
  const std::map<std::string, std::string>& mapping_;
  std::set<std::string> used_;
};

void check_mapping(const std::map<std::string, std::string>& mapping, const Block& block,
                   const std::vector<std::string>& output_names) {
  std::set<std::string> ours;
  for (const std::string& name : block.inputs()) ours.insert({name, "in." + name});
  for (const std::string& name : output_names) ours.insert({name, "out." + name});
  for (const auto& [name, theirs] : mapping) {
    if (ours.contains(name)) continue;
    std::string known;
    for (const std::string& input : block.inputs()) known += " " + input;
    for (const std::string& output : output_names) known += " " + output;
    throw InputError(fmt::format("--map {}={}: block {} has no tensor '{}'; it has:{}", name, theirs,
                                 block.name(), name, known));
  }
}

/// The run without a tag: "out.NAME", or a bare "NAME".
void add_untagged(Reader& reader, const std::vector<std::string>& output_names,
                  std::vector<RecordedRun>& runs) {
  RecordedRun run{"recorded", {}};
  for (const std::string& ours : output_names) {
    const std::string theirs = reader.mapped(ours, kOutput);
    const std::string wanted = theirs.empty() ? ours : theirs;
    const std::string name = reader.first_of({"out." + wanted, wanted});
    if (!name.empty()) run.outputs.push_back({ours, reader.take(name)});
  }
  if (!run.outputs.empty()) runs.push_back(std::move(run));
}

void add_tagged(Reader& reader, const std::vector<std::string>& output_names,
                std::vector<RecordedRun>& runs) {
  std::set<std::string> tags;
  std::map<std::string, std::string> theirs;
  for (const std::string& ours : output_names) {
    const std::string mapped = reader.mapped(ours, kOutput);
    theirs[ours] = mapped.empty() ? ours : mapped;
    for (std::string& tag : reader.tags(theirs[ours])) tags.insert(std::move(tag));
  }
  for (const std::string& tag : tags) {
    RecordedRun run{"recorded/" + tag, {}};
    for (const std::string& ours : output_names) {
      const std::string name = reader.first_of({fmt::format("out.{}.{}", tag, theirs[ours])});
      if (name.empty())
        throw InputError(fmt::format("required tensor 'out.{}.{}' is missing", tag, theirs[ours]));
      run.outputs.push_back({ours, reader.take(name)});
    }
    runs.push_back(std::move(run));
  }
}

}  // namespace

Recording take_apart(const SafetensorsFile& file, const Block& block,
                     const std::vector<std::string>& output_names,
                     const std::map<std::string, std::string>& mapping) {
  check_mapping(mapping, block, output_names);
  Reader reader(file, mapping);
  Recording recording;
  for (const std::string& name : block.inputs()) recording.inputs.emplace(name, reader.input(name));
  add_tagged(reader, output_names, recording.runs);
  add_untagged(reader, output_names, recording.runs);
  if (recording.runs.empty()) {
    throw InputError(fmt::format("no output is recorded: 'out.TAG.{}', 'out.{}' or '{}' wanted",
                                 output_names.front(), output_names.front(), output_names.front()));
  }
  recording.ignored = reader.unused();
  return recording;
}

Case recorded_case(const Recording& recording, const Block& block, DType dtype,
                   const Attributes& attributes) {
  Case c;
  c.block = block.name();
  c.attributes = attributes;
  for (const std::string& name : block.inputs())
    c.inputs.push_back({name, convert(recording.inputs.at(name), dtype)});
  c.provenance.generator = "recorded";
  return c;
}

}  // namespace deformdiff::cli
