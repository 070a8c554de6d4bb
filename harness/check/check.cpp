#include "check/check.h"

#include "catalog/catalog.h"
#include "check/exported_module.h"
#include "check/model_check.h"
#include "check/opaque.h"
#include "core/error.h"
#include "core/files.h"
#include "engine/findings.h"
#include "engine/stopwatch.h"

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// A module that takes its worker down when it is loaded is a finding.
void report_load_failure(const CheckRequest& request, const Outcome& failure, RunReport& report) {
  SubjectReport& subject = report.session.subjects.emplace_back();
  subject.name = request.model.string();
  subject.block = request.block;
  const Comparison comparison = compare(failure, {}, {});
  count(subject, comparison);
  report.session.findings.push_back(
      judged_finding({subject.block, subject.name, std::string(name_of(comparison.verdict)), "", "structure"},
                     {}, comparison, request.model));
  report.session.findings.back().not_saved = "there is no case: the module was not even loaded";
  report.cause = "unknown";
  report.scenarios.push_back({"load", "outputs", comparison.verdict, false, 0, 0, comparison.reason});
}

void check_loaded(const CheckRequest& request, ExportedModule& module, RunReport& report) {
  if (module.load_failure().kind != Outcome::Kind::kNotRun) {
    report_load_failure(request, module.load_failure(), report);
  } else if (request.block == kOpaqueBlock) {
    check_opaque(request, module, report);
  } else {
    const BlockEntry& entry = find_block(request.block);
    if (!is_deep(entry)) {
      throw InputError(fmt::format(
          "--block {}: an operator, not a model; check takes a deep block, or opaque", entry.block->name()));
    }
    check_model(request, entry, module, report);
  }
}

}  // namespace

RunReport check(const CheckRequest& request) {
  const Stopwatch watch;
  RunReport report;
  try {
    if (request.image && request.block == kOpaqueBlock) {
      throw InputError("--image-size: of a whole model one of its blocks is checked, not opaque");
    }
    ExportedModule module(request.model, request.limits);
    report.session.environment = module.environment();
    const bool loaded = module.load_failure().kind == Outcome::Kind::kNotRun;
    if (loaded && !module.lost_on_loading().empty())
      report.warnings.push_back(fmt::format("loaded when tried again: {}", module.lost_on_loading()));
    check_loaded(request, module, report);
  } catch (const InputError& error) {
    throw InputError(about(request.model, error));
  }
  report.session.seconds = watch.seconds();
  return report;
}

}  // namespace deformdiff
