// Recorded tensors, judged like any implementation. Needs no worker.
#include "blocks/block_list.h"
#include "catalog/catalog.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "recorded/recorded.h"
#include "recorded/recorded_stages.h"
#include "cli/stage_report.h"
#include "core/files.h"
#include "core/strict_json.h"

#include <chrono>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string block_name(const Options& options, const SafetensorsFile& file) {
  if (!options.blocks.empty()) return options.blocks.front();
  const auto named = file.metadata.find("block");
  if (named == file.metadata.end()) throw InputError("its metadata name no block: give --block");
  return named->second;
}

/// The block's attributes: those that the configuration sets, the defaults otherwise.
Attributes attributes_of(const Options& options, const SafetensorsFile& file, const Block& block) {
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
    if (!config[name].is_number())
      throw InputError(fmt::format("configuration: '{}': a number wanted", name));
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
               const RecordedRun& run, const Attributes& attributes, SessionReport& session) {
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

/// Each recorded run of a block with stages: its outputs, and what was recorded on the way.
void judge_stages_of(const Options& options, const BlockEntry& entry, const SafetensorsFile& file,
                     RunReport& report) {
  const BlockDefinition& block = *find_block_definition(entry.block->name());
  const Layout layout = layout_of(options, file);
  const StagedRecording recording = take_apart_stages(file, block, layout, options);
  const LayoutNames names(layout, block, recording.attributes);
  for (const RecordedStages& run : recording.runs) {
    SubjectReport& subject = report.session.subjects.emplace_back();
    subject.name = subject.info.name = run.name;
    subject.block = block.name();
    if (run.dtype != DType::kFloat32 && run.dtype != DType::kFloat64) {
      Comparison comparison;
      comparison.verdict = Verdict::kUnsupported;
      comparison.reason = fmt::format("judging {} is not available yet", name_of(run.dtype));
      count(subject, comparison);
      continue;
    }
    const Case c = staged_case(block, recording, run.dtype);
    block.validate(c);
    StagedComparison judged =
        judge_stages(entry, c, run.outcome, subject.info,
                     {.threads = options.threads, .inherited = true, .one_run = true}, &subject.ratios);
    add_scenario(run.name, judged, names, report);
    count(subject, judged.comparison);
    if (!is_finding(judged.comparison.verdict)) continue;
    report.session.findings.push_back(judged_finding(signature_of(entry, run.name, c, judged.comparison), c,
                                                     judged.comparison, options.files.front()));
  }
  report.ignored = recording.ignored;
}

}  // namespace

int run_judge(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const std::filesystem::path& path = options.files.front();
  const SafetensorsFile file = read_safetensors(path);
  RunReport report;
  try {
    const BlockEntry& entry = find_block(block_name(options, file));
    layout_of(options, file);  // refuses a layout that nobody has, also where it makes no difference
    if (entry.has_stages()) {
      judge_stages_of(options, entry, file, report);
      report.session.seconds = seconds_since(start);
      return finish(options, report);
    }
    const auto attributes = attributes_of(options, file, *entry.block);
    const Recording recording = take_apart(file, *entry.block, entry.block->output_names(), options.mapping);
    for (const RecordedRun& run : recording.runs) {
      judge_run(options, entry, recording, run, attributes, report.session);
    }
    report.ignored = recording.ignored;
  } catch (const InputError& error) {
    throw InputError(about(path, error));
  }
  report.session.seconds = seconds_since(start);
  return finish(options, report);
}

}  // namespace deformdiff::cli
