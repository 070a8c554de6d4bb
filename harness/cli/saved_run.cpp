#include "cli/saved_run.h"

#include "catalog/addresses.h"
#include "catalog/catalog.h"
#include "check/module_subject.h"
#include "cli/session_options.h"
#include "core/error.h"
#include "core/sha256.h"
#include "engine/repeat.h"
#include "recorded/recorded_subject.h"

#include <fmt/format.h>

namespace deformdiff::cli {

namespace {

SubjectSpec parse_any(const std::string& typed, int threads) {
  if (typed.starts_with(kModuleScheme)) return module_subject(typed, threads);
  if (typed.starts_with(kRecordedScheme)) return recorded_subject(typed);
  return parse_subject(typed);
}

}  // namespace

SavedRun load_saved_run(const std::filesystem::path& path, const Options& options) {
  SavedRun run;
  run.path = path;
  run.saved = read_case(path);
  std::vector<std::string> names = options.subjects;
  if (names.empty() && !run.saved.subject.empty()) names.push_back(run.saved.subject);
  try {
    run.entry = &find_block(run.saved.problem.block);
    for (const Case& call : run.saved.earlier_calls) run.entry->block->validate(call);
    run.entry->block->validate(run.saved.problem);
    run.subjects =
        parse_subjects(names, [&](const std::string& typed) { return parse_any(typed, options.threads); });
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", path.string(), error.what()));
  }
  const bool recorded =
      options.subjects.empty() && !run.saved.subject.empty() && !run.saved.subject_sha256.empty();
  if (recorded && sha256_of_file(run.subjects.front().library) != run.saved.subject_sha256) {
    run.warning = fmt::format("{}: {} is not the file that was recorded (its SHA-256 differs)", path.string(),
                              run.subjects.front().library);
  }
  return run;
}

SavedRun load_single_run(const std::filesystem::path& path, const Options& options) {
  if (options.subjects.empty() && read_case(path).subject.empty()) {
    throw InputError(fmt::format("{}: the case names no implementation: give --subject", path.string()));
  }
  return load_saved_run(path, options);
}

JudgedAgain judge_again(Subject& subject, const SavedRun& run, int threads) {
  const SavedCase& saved = run.saved;
  const JudgeOptions options{threads, kMemoryLimit, saved.holds_a_failure()};
  JudgedAgain judged;
  const auto here = [&] {
    ++judged.runs;
    return judge_case(subject, *run.entry, saved.problem, saved.earlier_calls, options);
  };
  const auto fresh = [&] {
    // An open finding must not depend on the cases replayed before it.
    if (saved.expectation != name_of(Verdict::kAgree) && subject.started()) subject.runner->restart();
    return here();
  };
  const int most = saved.reproduction ? runs_for(saved.reproduction->rate()) : 1;
  judged.judgement = judge_until(
      most, [](const Judgement& judgement) { return is_finding(judgement.comparison.verdict); }, fresh, here);
  return judged;
}

}  // namespace deformdiff::cli
