// Which version of an implementation is the first that a saved case fails on.
#include "cli/bisect_search.h"
#include "cli/bisect_versions.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/saved_run.h"
#include "cli/session_options.h"
#include "core/error.h"
#include "core/files.h"

#include <csignal>
#include <cstdlib>
#include <string_view>
#include <sys/wait.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace deformdiff::cli {
namespace {

using Json = nlohmann::ordered_json;

/// A version that was tested.
struct TestedVersion {
  std::string name;
  Goodness goodness = Goodness::kSkipped;
  std::string verdict;  ///< empty where there is none
  std::string reason;
};

std::string_view word_of(Goodness goodness) {
  return goodness == Goodness::kGood ? "good" : goodness == Goodness::kBad ? "bad" : "skipped";
}

/// The case's implementation, if it names one.
std::string address_of(const SavedCase& saved) {
  return saved.subject.empty() && saved.signature ? saved.signature->subject : saved.subject;
}

/// Bad is what fails as the case did; what fails otherwise says nothing of it.
void judge(const SavedRun& run, const Options& options, TestedVersion& version) {
  Subject subject = open_subject(run.subjects.front(), run_limits_of(options));
  const Judgement judgement = judge_again(subject, run, options.threads).judgement;
  const Verdict verdict = judgement.comparison.verdict;
  const auto& failure = run.saved.signature;
  version.verdict = name_of(verdict);
  version.reason = judgement.comparison.reason;
  if (!subject.started()) {
    version.reason = fmt::format("it fails before it is given a case: {}", version.reason);
  } else if (verdict == Verdict::kAgree) {
    version.goodness = Goodness::kGood;
  } else if (is_finding(verdict)) {
    const bool same = !failure || (judgement.signature.rule == failure->rule &&
                                   judgement.signature.output == failure->output);
    version.goodness = same ? Goodness::kBad : Goodness::kSkipped;
    if (!same) version.reason = fmt::format("it fails otherwise: {}", version.reason);
  }
}

TestedVersion test(const std::filesystem::path& path, const Version& version, const Options& options) {
  TestedVersion tested{version.address, Goodness::kSkipped, "", ""};
  if (!version.file.empty() && !std::filesystem::is_regular_file(version.file)) {
    tested.reason = fmt::format("there is no file {}", version.file.string());
    return tested;
  }
  Options of_version = options;
  of_version.subjects = {version.address};
  judge(load_saved_run(path, of_version), options, tested);
  return tested;
}

std::string line_of(const TestedVersion& version) {
  std::string text = fmt::format("{:<8} {}", word_of(version.goodness), version.name);
  if (!version.verdict.empty()) text += ": " + version.verdict;
  if (!version.reason.empty()) text += ": " + version.reason;
  return text + "\n";
}

void write_report(const Options& options, const std::vector<TestedVersion>& tested,
                  const std::vector<std::string>& first_bad, const std::string& conclusion, int exit_code) {
  Json json{{"deformdiff", DEFORMDIFF_VERSION},
            {"command", "bisect"},
            {"case", options.files.front().string()},
            {"exit_code", exit_code}};
  json["versions"] = Json::array();
  for (const TestedVersion& version : tested) {
    json["versions"].push_back({{"name", version.name},
                                {"state", word_of(version.goodness)},
                                {"verdict", version.verdict},
                                {"reason", version.reason}});
  }
  json["first_bad"] = first_bad;
  json["conclusion"] = conclusion;
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  for (const ReportTarget& target : options.reports) {
    if (target.kind != "json") continue;
    if (target.file.empty()) {
      say(options, text);
    } else {
      write_file(target.file, text);
    }
  }
}

std::string conclusion_of(const Bisection& found, const std::vector<std::string>& names) {
  switch (found.end) {
    case Bisection::End::kFound:
      return names.size() == 1 ? fmt::format("first bad: {}", names.front())
                               : fmt::format(
                                     "the first bad one is one of these, of which all but the last "
                                     "were skipped: {}",
                                     fmt::join(names, " "));
    case Bisection::End::kFirstIsBad:
      return fmt::format("none is named: {} is bad already: begin with an older one", names.front());
    case Bisection::End::kLastIsGood:
      return fmt::format("none is named: {} is good, the last that was tested", names.front());
    case Bisection::End::kNotMonotone:
      return fmt::format("none is named: {} is bad, and the last is good: is the order old to new?",
                         names.front());
    case Bisection::End::kNothingTested:
      break;
  }
  return "none is named: none could be tested";
}

int bisect_versions(const Options& options) {
  const std::filesystem::path& path = options.files.front();
  const std::vector<Version> versions = parse_versions(options.versions, address_of(read_case(path)));
  std::vector<TestedVersion> tested;
  const Bisection found = bisect(versions.size(), [&](std::size_t i) {
    if (interrupted()) return Goodness::kSkipped;
    tested.push_back(test(path, versions[i], options));
    say(options, line_of(tested.back()));
    return tested.back().goodness;
  });
  if (interrupted()) {
    say(options, "\ninterrupted: nothing is concluded\n");
    return 4;
  }
  std::vector<std::string> names;
  for (const std::size_t i : found.versions) names.push_back(versions[i].address);
  const std::string conclusion = conclusion_of(found, names);
  say(options, fmt::format("\n{}\n", conclusion));
  const bool is_found = found.end == Bisection::End::kFound;
  const int exit_code = is_found ? 0 : found.end == Bisection::End::kNothingTested ? 4 : 1;
  write_report(options, tested, is_found ? names : std::vector<std::string>(), conclusion, exit_code);
  return exit_code;
}

/// 0 if it succeeds. A signal, as that of Ctrl-C, ends the bisection.
int run_command(const std::string& command) {
  std::fflush(stdout);
  const int status = std::system(command.c_str());
  if (status != -1 && WIFSIGNALED(status)) return kGitAbort + WTERMSIG(status);
  return status == 0 ? 0 : kGitSkip;
}

/// One version, the one that is checked out, for `git bisect run`.
int bisect_checkout(const Options& options) {
  const std::filesystem::path& path = options.files.front();
  const SavedCase saved = read_case(path);
  TestedVersion tested{options.subjects.empty() ? address_of(saved) : options.subjects.front(),
                       Goodness::kSkipped, "", ""};
  if (tested.name.empty()) {
    throw InputError(fmt::format("{}: the case names no implementation: give --subject", path.string()));
  }
  int exit_code = run_command(options.run);
  if (exit_code > kGitAbort) return exit_code;
  if (exit_code != 0) {
    tested.reason = fmt::format("'{}' failed", options.run);
  } else {
    Options here = options;
    here.subjects = {tested.name};
    try {
      judge(load_saved_run(path, here), options, tested);
    } catch (const InputError& error) {
      // What the command was to make is not there.
      tested.reason = error.what();
    }
    exit_code = tested.goodness == Goodness::kGood ? 0 : tested.goodness == Goodness::kBad ? 1 : kGitSkip;
  }
  if (interrupted()) return kGitAbort + SIGINT;
  say(options, line_of(tested));
  write_report(options, {tested}, {}, std::string(word_of(tested.goodness)), exit_code);
  return exit_code;
}

}  // namespace

int run_bisect(const Options& options) {
  catch_interrupts();
  return options.run.empty() ? bisect_versions(options) : bisect_checkout(options);
}

}  // namespace deformdiff::cli
