// A case for people, or in its other form.
#include "blocks/block_list.h"
#include "catalog/catalog.h"
#include "cli/case_text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "core/case_file.h"
#include "core/error.h"
#include "core/files.h"
#include "recorded/recording.h"
#include "recorded/recording_of_case.h"
#include "reports/layout.h"

#include <algorithm>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

constexpr const char* kTensors = ".safetensors";

/// A file lists its tensors by name, a case in the block's order.
void sort_as_declared(const BlockDefinition& block, Case& c) {
  const std::vector<TensorSpec> declared = block.tensors(c.attributes);
  std::ranges::stable_sort(c.inputs, {}, [&](const NamedTensor& input) {
    return std::ranges::find(declared, input.name, &TensorSpec::name) - declared.begin();
  });
}

/// The case of the file's first run, or of its inputs if nothing else is recorded.
Case recorded_problem(const std::filesystem::path& path, const Options& options) {
  const SafetensorsFile file = read_safetensors(path);
  const auto named = file.metadata.find("block");
  if (options.blocks.empty() && named == file.metadata.end()) {
    throw InputError("its metadata name no block: give --block");
  }
  const BlockDefinition& block = *find_block_definition(
      find_block(options.blocks.empty() ? named->second : options.blocks.front()).block->name());
  RecordingOptions how{options.layout, options.config, {}, true};
  const Recording recording = read_recording(file, block, layout_of(how, file), how);
  DType dtype = DType::kFloat32;
  for (const NamedTensor& input : recording.inputs) {
    if (!is_floating(input.tensor.dtype())) continue;
    dtype = input.tensor.dtype();
    break;
  }
  if (!recording.runs.empty()) dtype = recording.runs.front().dtype;
  Case c = recorded_case(block, recording, dtype);
  sort_as_declared(block, c);
  block.validate(c);
  return c;
}

SavedCase read_any(const std::filesystem::path& path, const Options& options) {
  if (path.extension() != kTensors) return read_case(path);
  SavedCase saved;
  try {
    saved.problem = recorded_problem(path, options);
  } catch (const InputError& error) {
    throw InputError(about(path, error));
  }
  saved.expectation = name_of(Verdict::kAgree);
  return saved;
}

void write_other_form(const std::filesystem::path& path, const SavedCase& saved) {
  if (path.extension() == kTensors) {
    write_safetensors(path, recording_of(saved.problem));
  } else if (path.extension() == ".json") {
    write_case(path, saved);
  } else {
    throw InputError(fmt::format("-o {}: a name that ends in .json or .safetensors wanted", path.string()));
  }
}

}  // namespace

int run_show(const Options& options) {
  const SavedCase saved = read_any(options.files.front(), options);
  const BlockEntry& entry = find_block(saved.problem.block);
  entry.block->validate(saved.problem);
  if (!options.output.empty()) {
    write_other_form(options.output, saved);
    return 0;
  }
  std::string text;
  const auto add = [&](const char* first, const std::string& what) {
    if (!what.empty()) text += wrapped(first, what, 12);
  };
  add("note        ", saved.note);
  add("subject     ", saved.subject);
  if (saved.holds_a_failure()) add("expect      ", saved.expectation);
  if (!saved.earlier_calls.empty()) {
    add("depends on  ", fmt::format("{} earlier calls", saved.earlier_calls.size()));
  }
  say(options, text + case_text(entry, saved.problem));
  return 0;
}

}  // namespace deformdiff::cli
