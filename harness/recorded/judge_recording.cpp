#include "recorded/judge_recording.h"

#include "blocks/block_list.h"
#include "catalog/catalog.h"
#include "core/error.h"
#include "core/files.h"
#include "engine/findings.h"
#include "engine/signature.h"
#include "engine/stage_judge.h"
#include "engine/stopwatch.h"
#include "engine/subject.h"
#include "recorded/recorded_subject.h"
#include "recorded/stage_report.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

std::string block_name(const JudgeRequest& request, const SafetensorsFile& file) {
  if (!request.block.empty()) return request.block;
  const auto named = file.metadata.find("block");
  if (named == file.metadata.end()) throw InputError("its metadata name no block: give --block");
  return named->second;
}

/// The finding, and its case beside those of other files. What has the signature of one that is there already
/// is counted with that.
void add_finding(const JudgeRequest& request, const RecordedSource& source, const Case& c,
                 const Comparison& comparison, std::vector<Finding>& findings) {
  const Signature signature = signature_of(source.block, source.run, comparison);
  const auto file = request.findings / (finding_id(signature, source.file.string()) + ".json");
  const auto same = std::ranges::find(findings, signature, &Finding::signature);
  if (same != findings.end()) {
    ++same->count;
    return;
  }
  Finding finding = judged_finding(signature, c, comparison, file);
  save_judged(finding, [&] { return recorded_finding(source, finding, c, comparison); });
  findings.push_back(std::move(finding));
}

constexpr const char* kNoOutput = "no output is recorded";

/// That of an earlier file's runs of the same name, or a new one.
SubjectReport& subject_of(const std::string& run, const BlockDefinition& block, const Declaration& declared,
                          std::vector<SubjectReport>& subjects) {
  const auto known = std::ranges::find_if(
      subjects, [&](const SubjectReport& each) { return each.name == run && each.block == block.name(); });
  if (known != subjects.end()) return *known;
  SubjectReport& subject = subjects.emplace_back();
  subject.name = run;
  subject.block = block.name();
  subject.info = recorded_info(run, block);
  apply(declared, subject.info);
  return subject;
}

void judge_file(const JudgeRequest& request, const SafetensorsFile& file, RunReport& report) {
  const BlockEntry& entry = find_block(block_name(request, file));
  const BlockDefinition& block = *find_block_definition(entry.block->name());
  const Layout layout = layout_of(request.options, file);
  const Recording recording = read_recording(file, block, layout, request.options);
  const LayoutNames names(layout, block, recording.attributes);
  for (const RecordedRun& run : recording.runs) {
    SubjectReport& subject = subject_of(run.name, block, request.declared, report.session.subjects);
    if (const Comparison refused = unjudged(run); !refused.reason.empty()) {
      count(subject, refused);
      continue;
    }
    const Case c = recorded_case(block, recording, case_dtype(run, subject.info.precision));
    block.validate(c);
    if (const Outcome admitted = admit(subject.info, block, c, 0);
        admitted.kind != Outcome::Kind::kReturned) {
      count(subject, compare(admitted, {}, {}));
      continue;
    }
    // The operator's one stage is its output: there is nothing to show on the way to it. Nothing is inherited
    // where no stage follows from another.
    const bool several = block.stages(c).size() > 1;
    StagedComparison judged = judge_stages(
        entry, c, run.outcome, subject.info,
        {.threads = request.threads, .inherited = is_deep(entry), .one_run = true}, &subject.ratios);
    if (several && !request.options.inputs_alone) add_scenario(run.name, judged, names, report);
    count(subject, judged.comparison);
    if (!is_finding(judged.comparison.verdict)) continue;
    add_finding(request,
                {request.file, run.name, block.name(), layout, request.options.mapping, request.declared}, c,
                judged.comparison, report.session.findings);
  }
  if (recording.runs.empty()) {
    count(subject_of("recorded", block, request.declared, report.session.subjects),
          compare(outcome_of(Outcome::Kind::kNotRun, kNoOutput), {}, {}));
  }
  report.ignored = recording.ignored;
  report.read_as_int64 = recording.read_as_int64;
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  if (files.empty()) {
    throw InputError(fmt::format("{}: the folder has no safetensors files", folder.string()));
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

RunReport judge_recording(const JudgeRequest& request) {
  const Stopwatch watch;
  const bool is_folder = std::filesystem::is_directory(request.file);
  RunReport report;
  for (const auto& path : is_folder ? files_in(request.file) : std::vector{request.file}) {
    JudgeRequest one = request;
    one.file = path;
    one.options.inputs_alone = is_folder;
    const SafetensorsFile file = read_safetensors(path);
    try {
      judge_file(one, file, report);
    } catch (const InputError& error) {
      throw InputError(about(path, error));
    }
  }
  report.session.seconds = watch.seconds();
  return report;
}

Comparison unjudged(const RecordedRun& run) {
  Comparison comparison;
  comparison.verdict = Verdict::kUnsupported;
  comparison.reason = run.unreadable;
  return comparison;
}

}  // namespace deformdiff
