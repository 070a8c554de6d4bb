#include "cli/origin.h"

#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/session_options.h"
#include "core/error.h"
#include "core/sha256.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// The implementation's name; throws InputError where the case has none.
std::string origin_of(const std::filesystem::path& path, const SavedCase& saved) {
  if (!saved.signature) {
    throw InputError(fmt::format(
        "{}: field 'signature' is missing: the case never failed, so it came from nothing", path.string()));
  }
  return saved.subject.empty() ? saved.signature->subject : saved.subject;
}

/// Nothing where the implementation cannot be run.
std::optional<bool> is_as_it_must(const std::filesystem::path& path, const Options& options) {
  Options on_origin = options;
  const std::string origin = origin_of(path, read_case(path));
  on_origin.subjects = {origin};
  const auto line = [&](const std::string& text) {
    say(options, fmt::format("{}: {}: {}\n", path.string(), origin, text));
  };
  SavedRun run;
  std::optional<Subject> subject;
  try {
    run = load_saved_run(path, on_origin);
    // A Python package that is not installed is told by the worker that would need it.
    subject.emplace(open_subject(run.subjects.front(), run_limits_of(options)));
  } catch (const InputError& error) {
    line(fmt::format("not run: {}", error.what()));
    return std::nullopt;
  }
  const std::string& library = run.subjects.front().library;
  const OriginMust must = origin_must(run.saved, library.empty() ? "" : sha256_of_file(library));
  const Comparison comparison = judge_again(*subject, run, options.threads).judgement.comparison;
  if (is_finding(comparison.verdict)) {
    line(fmt::format("{} ({})", name_of(comparison.verdict),
                     must == OriginMust::kFail ? "as it must" : "DIFFERS: must agree"));
    return must == OriginMust::kFail;
  }
  if (comparison.verdict == Verdict::kAgree) {
    const bool open = run.saved.expectation != name_of(Verdict::kAgree);
    line(fmt::format("agree ({})", must == OriginMust::kAgree ? "as it must"
                                   : open                     ? "GONE: promote it with --fixed"
                                          : "DIFFERS: the case no longer shows the failure"));
    return must == OriginMust::kAgree;
  }
  line(fmt::format("{}: {}", name_of(comparison.verdict), comparison.reason));
  return std::nullopt;
}

}  // namespace

OriginMust origin_must(const SavedCase& saved, const std::string& sha256_now) {
  if (saved.expectation != name_of(Verdict::kAgree)) return OriginMust::kFail;
  if (saved.signature.value().subject.starts_with("fault/")) return OriginMust::kFail;
  const bool is_same_file = !sha256_now.empty() && sha256_now == saved.subject_sha256;
  return is_same_file ? OriginMust::kFail : OriginMust::kAgree;
}

int run_origin(const Options& options) {
  catch_interrupts();
  std::int64_t right = 0, wrong = 0;
  for (auto path = options.files.begin(); path != options.files.end() && !interrupted(); ++path) {
    const std::optional<bool> as_it_must = is_as_it_must(*path, options);
    if (as_it_must) ++(*as_it_must ? right : wrong);
  }
  return wrong > 0 ? 1 : right > 0 ? 0 : 4;
}

}  // namespace deformdiff::cli
