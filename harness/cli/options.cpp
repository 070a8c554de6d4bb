#include "cli/options.h"

#include "catalog/declarations.h"
#include "cli/option_values.h"
#include "cli/version.h"
#include "core/comma_list.h"
#include "core/conditions.h"
#include "core/error.h"
#include "reports/report_kinds.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

/// Length of a run, in seconds, from which on it has canaries unless it is told otherwise: in a shorter one
/// few of them get enough cases.
constexpr double kCanarySeconds = 600;

/// Percent of a run's time for guided cases, unless it is told otherwise.
constexpr int kGuided = 30;

/// Flags as typed, where they are not yet what Options wants.
struct Raw {
  std::vector<std::string> reports;
  std::string progress = "auto";
  std::optional<std::string> seed, cases, threads, rounds, evaluations;
  std::optional<std::string> time, case_timeout, budget;
  std::optional<bool> canaries;
  std::optional<std::string> guided;
  std::vector<std::string> mapping, declarations;
  bool python = false;
  std::string dtype;
  std::string shard, distribution = "standard";
  std::string image_size, input_order, output_order;
};

/// One value each time it is given: never the words behind it.
CLI::Option& add_repeatable(CLI::App& command, const char* flag, std::vector<std::string>& values,
                            const std::string& help) {
  return *command.add_option(flag, values, help)->allow_extra_args(false);
}

/// A file or folder; '' is none.
template <typename Paths>
CLI::Option& add_path(CLI::App& command, const char* flag, Paths& paths, const std::string& help) {
  return *command.add_option(flag, paths, help)->check([flag](const std::string& typed) {
    return typed.empty() ? fmt::format("{} '': the name of a file or folder wanted", flag) : std::string();
  });
}

std::string kind_names() {
  std::vector<std::string_view> names;
  for (const ReportKind& kind : report_kinds()) names.push_back(kind.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

void add_common(CLI::App& command, Options& options, Raw& raw) {
  add_repeatable(command, "--report", raw.reports,
                 "KIND[:FILE], repeatable, FILE - or none: standard output; kinds: " + kind_names());
  command.add_option("--progress", raw.progress,
                     "auto or never: a line on standard error, every ten seconds if that is no terminal");
  command.add_option("--threads", raw.threads, "threads of the oracle (default: all cores)");
  command.add_flag("--quiet", options.quiet, "print nothing but errors");
  command.add_flag("--verbose", options.verbose, "of several blocks, a table of each");
}

void add_out(CLI::App& command, Options& options) {
  add_path(command, "--out", options.out, "folder for findings (default deformdiff-out)");
}

/// Of a call, wherever one is made.
void add_case_timeout(CLI::App& command, Raw& raw) {
  command.add_option(
      "--case-timeout", raw.case_timeout,
      "longest a case may take, as in 30s (default: 30s, more for large cases and for a worker's first)");
}

void add_run_options(CLI::App& command, Raw& raw) {
  command.add_option("--seed", raw.seed, "first number of every case's random stream (default 0)");
  command.add_option("--cases", raw.cases,
                     "cases a block, the same for every implementation (default 500, 10 of deep blocks; of "
                     "everything, for a first look, 150, 6, and 3 of whole models)");
  add_case_timeout(command, raw);
}

void add_known(CLI::App& command, Options& options) {
  add_path(command, "--known", options.known,
           "folder of cases whose failures are known, or regressions (default: cases/ here, if it is there)");
  command.add_flag("--known-fail", options.known_fail, "exit 1 for known findings too");
}

void add_fuzz(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& fuzz =
      *app.add_subcommand("fuzz", "generate cases, run and judge implementations, shrink what is found");
  add_repeatable(fuzz, "--block", options.blocks,
                 "operation under test, repeatable (default: those that the implementations serve)");
  add_repeatable(fuzz, "--subject", options.subjects,
                 "implementation or address, repeatable (default: every built-in one)");
  add_repeatable(fuzz, "--tier", options.tiers, "kind of cases, repeatable (default: all in their shares)");
  fuzz.add_option("--only", options.only,
                  "draw only cases whose sizes meet these conditions, as in 'M==8,D%8==0,L<=4'; names are\n"
                  "those of list blocks");
  add_run_options(fuzz, raw);
  fuzz.add_option("--time", raw.time, "stop after this long, findings included, as in 30s, 10m, 8h");
  add_out(fuzz, options);
  fuzz.add_flag("--resume", options.resume,
                "go on with the run in --out; what to run need not be typed again");
  fuzz.add_option("--shard", raw.shard, "I/N, as in 1/4: only the cases of this part; merge joins the parts");
  fuzz.add_flag("--first-finding", options.first_finding,
                "an implementation that has a finding gets no further cases");
  fuzz.add_flag_callback(
      "--no-shrink", [&options] { options.shrink = false; }, "save findings as they were generated");
  add_known(fuzz, options);
  fuzz.add_option(
      "--guided", raw.guided,
      "with --time: PERCENT of it for cases beside the stream, which hit trigger classes together\n"
      "that were seldom hit together, or are neighbours of those nearest to their bound; counted\n"
      "apart (default 30, 0 for none)");
  fuzz.add_flag_callback(
      "--canaries", [&raw] { raw.canaries = true; },
      "give 5 % of the time to faults that must be found and right code that must not be blamed,\n"
      "exit 1 where one is not (default: with --time 10m or more)");
  fuzz.add_flag_callback(
      "--no-canaries", [&raw] { raw.canaries = false; }, "give them none");
  add_repeatable(fuzz, "--require", options.required,
                 "exit 1 if this implementation was not run, repeatable");
  add_common(fuzz, options, raw);
}

void add_case_commands(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& replay = *app.add_subcommand("replay", "judge saved cases again");
  add_path(replay, "CASE", options.files, "saved cases").required();
  add_repeatable(replay, "--subject", options.subjects,
                 "implementation or address, repeatable (default: as recorded)");
  replay
      .add_flag("--origin", options.origin,
                "on the implementation that each case came from: does the case still show what it says?")
      ->excludes("--subject");
  replay
      .add_option("--worker-prefix", options.worker_prefix,
                  "command to start the worker under, as in \"gdb --args\"")
      ->excludes("--origin");
  add_case_timeout(replay, raw);
  add_common(replay, options, raw);

  CLI::App& shrink = *app.add_subcommand("shrink", "make a saved finding smaller");
  add_path(shrink, "CASE", options.files, "a saved case").required()->expected(1);
  add_repeatable(shrink, "--subject", options.subjects, "implementation or address (default: as recorded)")
      .expected(1);
  shrink.add_option("--budget", raw.budget, "longest it may take, as in 60s");
  shrink.add_option("--evaluations", raw.evaluations, "most cases to try (default 2000)");
  add_path(shrink, "-o", options.output, "file to write (default: CASE.shrunk.json, beside the case)");
  add_common(shrink, options, raw);

  CLI::App& explain =
      *app.add_subcommand("explain", "which rule, which element, which term of the bound, which cell");
  add_path(explain, "CASE", options.files, "a saved case").required()->expected(1);
  add_repeatable(explain, "--subject", options.subjects, "implementation or address (default: as recorded)")
      .expected(1);
  add_common(explain, options, raw);
}

void add_promote(CLI::App& app, Options& options) {
  CLI::App& promote = *app.add_subcommand("promote", "move a finding's case among those that are kept");
  add_path(promote, "FINDING", options.files, "a saved case of a failure: it and its companion move")
      .required()
      ->expected(1);
  promote.add_option("--as", options.name, "name of the case there (default: the file's)");
  promote.add_option("--note", options.note, "one line for people (default: the finding's)");
  promote.add_flag("--fixed", options.fixed,
                   "into CASES/BLOCK/regression/, which must agree (default: open/, which must still fail)");
  add_path(promote, "--cases", options.cases_folder, "folder of the cases (default: cases/ here)");
  promote.add_flag("--quiet", options.quiet, "print nothing but errors");
  promote.footer("Exit codes: 0 it is there; 2 bad usage, or it cannot be: then nothing is changed.");
}

void add_emit(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& emit = *app.add_subcommand("emit", "a script, or a bug report, that shows a failure to others");
  add_path(emit, "CASE", options.files, "a saved case").required()->expected(1);
  emit.add_flag("--python", raw.python, "a Python script that needs PyTorch or numpy, and nothing of ours");
  emit.add_flag("--issue", options.issue, "the text of a bug report around that, in Markdown");
  add_path(emit, "-o", options.output, "file to write (default: standard output)");
  add_repeatable(emit, "--subject", options.subjects, "implementation or address (default: as recorded)")
      .expected(1);
  emit.add_option("--threads", raw.threads, "threads of the oracle (default: all cores)");
  emit.footer(
      "Exit codes: 0 it is written; 2 bad usage, or a failure that no script can show; 4 the case does not "
      "fail.");
}

void add_bisect(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& bisect = *app.add_subcommand("bisect", "which version is the first that a saved case fails on");
  add_path(bisect, "CASE", options.files, "a saved case").required()->expected(1);
  CLI::Option& versions = *bisect.add_option(
      "--versions", options.versions,
      "A,B,C: libraries, addresses or names, old to new; a library alone stands in the case's address");
  bisect
      .add_option(
          "--run", options.run,
          "for git bisect run: a line for the shell that builds what is checked out, before the case is "
          "judged")
      ->excludes(&versions);
  add_repeatable(bisect, "--subject", options.subjects,
                 "with --run: implementation or address (default: as recorded)")
      .expected(1)
      ->excludes(&versions);
  add_case_timeout(bisect, raw);
  add_repeatable(bisect, "--report", raw.reports, "KIND[:FILE], repeatable; kinds: terminal, json");
  bisect.add_option("--threads", raw.threads, "threads of the oracle (default: all cores)");
  bisect.add_flag("--quiet", options.quiet, "print nothing but errors");
  bisect.footer(
      "Exit codes with --versions: 0 the first bad one, or those that it is among, are named; 1 none is "
      "named; 2 "
      "bad\nusage or an unreadable file; 4 none could be tested. With --run, as git wants them: 0 good; 1 "
      "bad; 125 "
      "cannot\nbe tested; above 128 bad usage or an interrupt, which ends the bisection.");
}

void add_declare(CLI::App& command, Raw& raw) {
  add_repeatable(command, "--declare", raw.declarations,
                 "KEY=VALUE, repeatable: how it computes and what it promises (deformdiff list addresses)");
}

void add_judge(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& judge = *app.add_subcommand("judge", "judge recorded tensors like any implementation");
  add_path(judge, "FILE", options.files,
           "a safetensors file with in.NAME and out.TAG.NAME, or a folder of them")
      .required()
      ->expected(1);
  add_repeatable(judge, "--block", options.blocks, "operation (default: the file's metadata)").expected(1);
  judge.add_option("--layout", options.layout, "the framework's layout: huggingface, mmdet or facebook");
  add_path(judge, "--config", options.config, "JSON file with the block's configuration");
  add_repeatable(judge, "--map", raw.mapping,
                 "ours=theirs: the file's name for one of our tensors, repeatable");
  add_declare(judge, raw);
  add_out(judge, options);
  add_common(judge, options, raw);
}

void add_generate(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& generate = *app.add_subcommand(
      "generate", "write generated cases as safetensors, for what cannot be called; judge DIR afterwards");
  add_repeatable(generate, "--block", options.blocks, "operation").expected(1)->required();
  add_repeatable(generate, "--tier", options.tiers,
                 "kind of cases, repeatable (default: all in their shares)");
  generate.add_option("--only", options.only,
                      "only cases whose sizes meet these conditions, as in 'M==8,D%8==0,L<=4'");
  generate.add_option(
      "--dtype", raw.dtype,
      "float32, float64, float16 or bfloat16: every case in it, the numbers rounded to nearest");
  generate.add_option("--cases", raw.cases, "how many")->required();
  generate.add_option("--seed", raw.seed, "first number of every case's random stream (default 0)");
  add_path(generate, "-o", options.output, "folder to write").required();
  generate.add_flag("--quiet", options.quiet, "print nothing but errors");
}

void add_show(CLI::App& app, Options& options) {
  CLI::App& show = *app.add_subcommand("show", "a case for people: sizes, numbers, trigger classes");
  add_path(show, "FILE", options.files, "a saved case, or a safetensors file with in.NAME")
      .required()
      ->expected(1);
  add_repeatable(show, "--block", options.blocks, "operation (default: the file's)").expected(1);
  show.add_option("--layout", options.layout, "the framework's layout: huggingface, mmdet or facebook");
  add_path(show, "--config", options.config, "JSON file with the block's configuration");
  add_path(show, "-o", options.output,
           "FILE.json or FILE.safetensors: write the case so instead, other than it is or the same");
  show.add_flag("--quiet", options.quiet, "print nothing but errors");
}

void add_check(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& check = *app.add_subcommand("check", "is this exported model right, and if not, why");
  add_path(check, "MODEL", options.files,
           "an exported file: TorchScript (.pt), torch.export (.pt2) or ONNX (.onnx)")
      .required()
      ->expected(1);
  add_repeatable(check, "--block", options.blocks, "what the model is (deformdiff list blocks), or opaque")
      .expected(1)
      ->required();
  check.add_option("--layout", options.layout, "the framework's layout: huggingface, mmdet or facebook");
  add_path(check, "--config", options.config, "JSON file with the model's configuration");
  add_path(check, "--params", options.parameters,
           "safetensors file with parameters (default: the model's own)");
  add_path(check, "--inputs", options.inputs,
           "safetensors file with in.NAME, and out.TAG.NAME if recorded; repeatable")
      .allow_extra_args(false);
  check.add_option("--image-size", raw.image_size,
                   "HEIGHTxWIDTH, as in 256x320: the model takes images, and the block is a part of it");
  check.add_option("--input-order", raw.input_order, "names of the model's arguments, as in a,b,c");
  check.add_option("--output-order", raw.output_order, "names of the model's results, as in a,b,c");
  add_declare(check, raw);
  add_out(check, options);
  check.add_option("--seed", raw.seed, "of the generated inputs (default 0)");
  add_case_timeout(check, raw);
  add_common(check, options, raw);
}

void add_journal_commands(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& report =
      *app.add_subcommand("report", "reports of a run, from its folder; or beside another run");
  add_path(report, "DIR", options.files, "folder of a fuzz run (its --out)").required()->expected(1);
  add_path(report, "--against", options.against,
           "folder of an earlier run: what is new, gone, slower, sharper");
  add_known(report, options);
  add_common(report, options, raw);

  CLI::App& merge = *app.add_subcommand("merge", "join the folders of several runs of one stream of cases");
  add_path(merge, "DIR", options.files, "folders of fuzz runs").required();
  add_path(merge, "-o", options.output, "folder to write").required();
  add_known(merge, options);
  add_common(merge, options, raw);
}

void add_other_commands(CLI::App& app, Options& options, Raw& raw) {
  CLI::App& list =
      *app.add_subcommand("list", "blocks, stages, subjects, addresses, tiers, triggers, rules or faults");
  list.add_option("TOPIC", options.topic, "what to list (default: everything)");
  add_common(list, options, raw);

  CLI::App& selftest =
      *app.add_subcommand("selftest", "faults and controls: detection power, false alarms, sharpness");
  add_repeatable(selftest, "--block", options.blocks, "block to test, repeatable (default: all)");
  add_run_options(selftest, raw);
  add_out(selftest, options);
  add_common(selftest, options, raw);

  CLI::App& bench =
      *app.add_subcommand("bench", "time the implementations, the oracle and the harness itself");
  bench.add_option("--distribution", raw.distribution, "cases for the throughput: standard");
  bench.add_option("--rounds", raw.rounds, "rounds; every measurement once a round (default 5)");
  bench.add_option("--seed", raw.seed, "of the cases (default 0)");
  add_repeatable(bench, "--subject", options.subjects,
                 "implementation or address, repeatable (default: every built-in one)");
  add_common(bench, options, raw);

  add_journal_commands(app, options, raw);
}

ReportTarget parse_report(const std::string& text) {
  const std::size_t colon = text.find(':');
  ReportTarget target{text.substr(0, colon), colon == std::string::npos ? "" : text.substr(colon + 1)};
  const ReportKind* const kind = find_report_kind(target.kind);
  if (kind == nullptr) throw InputError(fmt::format("--report {}: kinds are {}", text, kind_names()));
  if (colon != std::string::npos && target.file.empty()) {
    throw InputError(fmt::format("--report {}: a file name is wanted behind the colon", text));
  }
  if (target.file == "-") target.file.clear();
  return target;
}

/// Before the work is done whose report could not be written.
void want_folder_of(const ReportTarget& target) {
  const std::filesystem::path folder = std::filesystem::path(target.file).parent_path();
  if (folder.empty() || std::filesystem::is_directory(folder)) return;
  throw InputError(fmt::format("--report {}:{}: there is no folder {}", target.kind, target.file.string(),
                               folder.string()));
}

/// Part of the time.
double guided_share(const Options& options, const Raw& raw) {
  if (raw.guided && !options.time_seconds) throw InputError("--guided: a share of --time; give that too");
  if (!options.time_seconds) return 0;
  const int percent = raw.guided ? parse_integer(*raw.guided, "--guided", 0) : kGuided;
  constexpr int kMost = 90;
  if (percent > kMost) throw InputError(fmt::format("--guided {}: at most {}", percent, kMost));
  return percent / 100.0;
}

void convert(const Raw& raw, Options& options) {
  for (const std::string& report : raw.reports) options.reports.push_back(parse_report(report));
  for (const ReportTarget& target : options.reports) want_folder_of(target);
  static const std::set<std::string> kReporting{"fuzz",     "replay", "judge", "check",
                                                "selftest", "report", "merge", "bisect"};
  for (const ReportTarget& target : options.reports) {
    const bool as_always = target.kind == "terminal" && target.file.empty();
    const bool measured = options.command == "bench" && (target.kind == "terminal" || target.kind == "json");
    if (!as_always && !measured && !kReporting.contains(options.command)) {
      not_available_yet(fmt::format("{} --report {}", options.command, target.kind));
    }
  }
  if (options.command == "emit" && !raw.python && !options.issue) {
    throw InputError("emit: say what to write: --python, or --issue for a bug report around it");
  }
  if (options.command == "bisect" && options.versions.empty() && options.run.empty()) {
    throw InputError("bisect: give --versions A,B,C, or --run COMMAND for git bisect run");
  }
  if (options.origin && !options.reports.empty()) {
    throw InputError("--origin: prints a line a case and takes no --report");
  }
  if (options.reports.empty() && !options.quiet) options.reports.push_back({"terminal", {}});
  if (raw.progress != "auto" && raw.progress != "never") {
    throw InputError(fmt::format("--progress {}: auto or never wanted", raw.progress));
  }
  options.progress = raw.progress == "auto" && !options.quiet;
  options.threads = raw.threads ? parse_integer(*raw.threads, "--threads", 1)
                                : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (raw.seed) options.seed = parse_integer<std::uint64_t>(*raw.seed, "--seed", 0);
  if (!raw.shard.empty()) options.shard = parse_shard(raw.shard);
  if (raw.cases) options.cases = parse_integer<std::int64_t>(*raw.cases, "--cases", 1);
  if (raw.rounds) options.rounds = parse_integer(*raw.rounds, "--rounds", 1);
  if (raw.evaluations) {
    options.evaluations = parse_integer<std::int64_t>(*raw.evaluations, "--evaluations", 1);
  }
  if (raw.time) options.time_seconds = parse_duration(*raw.time, "--time");
  options.guided_share = guided_share(options, raw);
  options.canaries = raw.canaries.value_or(options.time_seconds.value_or(0) >= kCanarySeconds);
  if (!options.only.empty()) parse_conditions(options.only);
  if (!raw.dtype.empty()) {
    options.dtype = dtype_from_name(raw.dtype);
    if (!options.dtype || !is_floating(*options.dtype)) {
      throw InputError(fmt::format("--dtype {}: float32, float64, float16 or bfloat16 wanted", raw.dtype));
    }
  }
  if (raw.case_timeout) {
    options.case_timeout_seconds = parse_duration(*raw.case_timeout, "--case-timeout");
  }
  if (raw.budget) options.budget_seconds = parse_duration(*raw.budget, "--budget");
  if (raw.distribution != "standard") {
    throw InputError(fmt::format("--distribution {}: the only one is standard", raw.distribution));
  }
  if (!raw.image_size.empty()) {
    options.image_size = parse_image_size(raw.image_size);
    if (!options.inputs.empty() || !raw.input_order.empty() || !raw.output_order.empty()) {
      throw InputError(
          "--image-size: a whole model takes images; --inputs, --input-order and --output-order are for a "
          "part alone");
    }
  }
  options.input_order = split_at_commas(raw.input_order);
  options.output_order = split_at_commas(raw.output_order);
  options.declared = checked_declaration(fmt::format("{}", fmt::join(raw.declarations, "&")));
  for (const std::string& pair : raw.mapping) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      throw InputError(fmt::format("--map {}: ours=theirs wanted, as in value=memory", pair));
    }
    if (!options.mapping.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second) {
      throw InputError(fmt::format("--map {}: '{}' is mapped twice", pair, pair.substr(0, equals)));
    }
  }
}

/// Whether blocks or implementations are typed.
bool says_what_to_run(const CLI::App& fuzz) {
  return fuzz.get_option("--block")->count() > 0 || fuzz.get_option("--subject")->count() > 0;
}

}  // namespace

Options parse_options(int argc, const char* const* argv) {
  Options options;
  Raw raw;
  CLI::App app("Numerical differential testing of multi-scale deformable attention.", "deformdiff");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(0, 1);
  app.footer(
      "Exit codes: 0 something agreed and nothing was found; 1 findings; 2 bad usage or an unreadable file;\n"
      "3 the harness itself failed; 4 nothing was judged.");
  add_fuzz(app, options, raw);
  add_case_commands(app, options, raw);
  add_promote(app, options);
  add_emit(app, options, raw);
  add_bisect(app, options, raw);
  add_judge(app, options, raw);
  add_generate(app, options, raw);
  add_show(app, options);
  add_check(app, options, raw);
  add_other_commands(app, options, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    options.message = version.what();
    return options;
  } catch (const CLI::CallForHelp&) {
    // The innermost command given is the one that help is wanted for.
    const CLI::App* wanted = app.get_subcommands().empty() ? &app : app.get_subcommands().back();
    options.message = wanted == &app ? app.help() : wanted->help("deformdiff");
    if (!options.message.ends_with('\n')) options.message += '\n';
    return options;
  } catch (const CLI::ParseError& error) {
    throw InputError(fmt::format("{} (see deformdiff --help)", error.what()));
  }
  if (app.get_subcommands().empty()) throw InputError("a command is wanted (see deformdiff --help)");
  const CLI::App& command = *app.get_subcommands().front();
  options.command = command.get_name();
  options.words.assign(argv + 1, argv + argc);
  options.says_what_to_run = options.command == "fuzz" && says_what_to_run(command);
  convert(raw, options);
  return options;
}

}  // namespace deformdiff::cli
