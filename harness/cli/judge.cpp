// Recorded tensors, judged like any implementation. Needs no worker.
#include "cli/catalog.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/recorded.h"
#include "core/files.h"
#include "core/strict_json.h"

#include <chrono>
#include <set>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

// The layouts that frameworks' files name. None of them changes what this block's tensors mean.
const std::set<std::string> kLayouts{"huggingface", "mmdet", "facebook"};

std::string block_name(const Options& options, const SafetensorsFile& file) {
  if (!options.blocks.empty()) return options.blocks.front();
  const auto named = file.metadata.find("block");
  if (named == file.metadata.end()) throw InputError("its metadata name no block: give --block");
  return named->second;
}

/// The block's attributes: those that the configuration sets, the defaults otherwise.
Attributes attributes_of(const Options& options, const SafetensorsFile& file,
                                                  const Block& block) {
  Json config = Json::object();
  if (!options.config.empty()) {
    config = parse_strict_json(read_file(options.config), options.config.string());
  } else if (const auto found = file.metadata.find("config"); found != file.metadata.end()) {
    config = parse_strict_json(found->second, "metadata 'config'");
  }
  if (!config.is_object()) throw InputError("the configuration is not a JSON object");
  auto attributes = block.default_attributes();
  for (auto& [name, value] : attributes) {
    if (!config.contains(name)) continue;
    if (!config[name].is_number()) throw InputError(fmt::format("configuration: '{}': a number wanted", name));
    value = config[name].get<double>();
  }
  return attributes;
}

/// The dtype that a run computed in: that of its outputs; of its inputs where those say nothing.
DType run_dtype(const RecordedRun& run, const Recording& recording) {
  for (const NamedTensor& output : run.outputs) {
    if (is_floating(output.tensor.dtype())) return output.tensor.dtype();
  }
  for (const auto& [name, tensor] : recording.inputs) {
    if (is_floating(tensor.dtype())) return tensor.dtype();
  }
  return DType::kFloat32;
}

Outcome outcome_of(const RecordedRun& run) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kReturned;
  outcome.outputs = run.outputs;
  return outcome;
}

void judge_run(const Options& options, const BlockEntry& entry, const Recording& recording,
               const RecordedRun& run, const Attributes& attributes,
               SessionReport& session) {
  SubjectReport& report = session.subjects.emplace_back();
  report.name = report.info.name = run.name;
  report.block = entry.block->name();
  const DType dtype = run_dtype(run, recording);
  Comparison comparison;
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) {
    comparison.verdict = Verdict::kUnsupported;
    comparison.reason = fmt::format("judging {} is not available yet", name_of(dtype));
    count(report, comparison);
    return;
  }
  const Case c = recorded_case(recording, *entry.block, dtype, attributes);
  entry.block->validate(c);
  const Reference reference = entry.oracle->evaluate(c, {}, {}, options.threads);
  comparison = compare(outcome_of(run), reference, {}, &report.ratios);
  count(report, comparison);
  if (is_finding(comparison.verdict)) {
    session.findings.push_back(
        judged_finding(signature_of(entry, run.name, c, comparison), c, comparison, options.files.front()));
  }
}

}  // namespace

int run_judge(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const std::filesystem::path& path = options.files.front();
  if (!options.layout.empty() && !kLayouts.contains(options.layout)) {
    throw InputError(fmt::format("--layout {}: huggingface, mmdet or facebook wanted", options.layout));
  }
  const SafetensorsFile file = read_safetensors(path);
  RunReport report;
  try {
    const BlockEntry& entry = find_block(block_name(options, file));
    const auto attributes = attributes_of(options, file, *entry.block);
    const Recording recording = take_apart(file, *entry.block, entry.block->output_names(), options.mapping);
    for (const RecordedRun& run : recording.runs) {
      judge_run(options, entry, recording, run, attributes, report.session);
    }
    report.ignored = recording.ignored;
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", path.string(), error.what()));
  }
  report.session.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return finish(options, report);
}

}  // namespace deformdiff::cli
