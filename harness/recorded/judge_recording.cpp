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

#include <fmt/format.h>

namespace deformdiff {
namespace {

std::string block_name(const JudgeRequest& request, const SafetensorsFile& file) {
  if (!request.block.empty()) return request.block;
  const auto named = file.metadata.find("block");
  if (named == file.metadata.end()) throw InputError("its metadata name no block: give --block");
  return named->second;
}

/// The finding, and its case beside those of other files.
Finding saved_finding(const JudgeRequest& request, const RecordedSource& source, const Case& c,
                      const Comparison& comparison) {
  const Signature signature = signature_of(source.block, source.run, comparison);
  const auto file = request.findings / (finding_id(signature, source.file.string()) + ".json");
  Finding finding = judged_finding(signature, c, comparison, file);
  save_judged(finding, [&] { return recorded_finding(source, finding, c, comparison); });
  return finding;
}

void judge_file(const JudgeRequest& request, const SafetensorsFile& file, RunReport& report) {
  const BlockEntry& entry = find_block(block_name(request, file));
  const BlockDefinition& block = *find_block_definition(entry.block->name());
  const Layout layout = layout_of(request.options, file);
  const Recording recording = read_recording(file, block, layout, request.options);
  const LayoutNames names(layout, block, recording.attributes);
  for (const RecordedRun& run : recording.runs) {
    SubjectReport& subject = report.session.subjects.emplace_back();
    subject.name = run.name;
    subject.block = block.name();
    subject.info = recorded_info(run.name, block);
    apply(request.declared, subject.info);
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
    if (several) add_scenario(run.name, judged, names, report);
    count(subject, judged.comparison);
    if (!is_finding(judged.comparison.verdict)) continue;
    report.session.findings.push_back(saved_finding(
        request, {request.file, run.name, block.name(), layout, request.options.mapping, request.declared}, c,
        judged.comparison));
  }
  report.ignored = recording.ignored;
  report.read_as_int64 = recording.read_as_int64;
}

}  // namespace

RunReport judge_recording(const JudgeRequest& request) {
  const Stopwatch watch;
  const SafetensorsFile file = read_safetensors(request.file);
  RunReport report;
  try {
    judge_file(request, file, report);
  } catch (const InputError& error) {
    throw InputError(about(request.file, error));
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
