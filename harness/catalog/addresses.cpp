#include "catalog/addresses.h"

#include "catalog/catalog.h"
#include "catalog/declarations.h"
#include "catalog/external_workers.h"
#include "core/declaration.h"
#include "core/error.h"
#include "core/files.h"
#include "core/wire/hello.h"
#include "engine/signature.h"
#include "engine/worker_process.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOperatorScheme = "torchop:";
constexpr std::string_view kOperatorName = "::ms_deform_attn";
constexpr std::string_view kWrongStage = "fault/wrong_stage:";

const std::vector<SubjectInfo>& list_for(const std::string& name) {
  return (is_fault_name(name) ? faults_and_controls() : builtin_subjects()).subjects;
}

/// What stands behind the '?' of an address, if it has one.
Declaration declaration_in(const std::string& typed, std::size_t question) {
  if (question == std::string::npos) return {};
  try {
    return checked_declaration(std::string_view(typed).substr(question + 1));
  } catch (const InputError& error) {
    throw InputError(fmt::format("subject '{}': {}", typed, error.what()));
  }
}

/// NAME, or NAME?key=value&...
SubjectSpec builtin_spec(const std::string& typed) {
  const std::size_t question = typed.find('?');
  const std::string name = typed.substr(0, question);
  const std::vector<SubjectInfo>& list = list_for(name);
  if (std::ranges::find(list, name, &SubjectInfo::name) == list.end()) {
    std::string known;
    for (const SubjectInfo& info : list) known += " " + info.name;
    throw InputError(
        fmt::format("no subject '{}'; there are:{}; 'deformdiff list addresses' shows how to name a "
                    "library of your own",
                    name, known));
  }
  std::vector<std::string> argv{worker_program()};
  if (is_fault_name(name)) argv.emplace_back("--faults");
  SubjectSpec spec{typed, {std::move(argv), name}, {}, {}};
  declare(declaration_in(typed, question), spec);
  return spec;
}

/// fault/wrong_stage:STAGE:SIZE, which a worker of its own makes to measure.
SubjectSpec wrong_stage_spec(const std::string& name) {
  const std::string_view body = std::string_view(name).substr(kWrongStage.size());
  const std::size_t colon = body.rfind(':');
  const std::string_view stage = body.substr(0, colon);
  const std::string_view number =
      colon == std::string_view::npos ? std::string_view() : body.substr(colon + 1);
  double size = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), size);
  if (stage.empty() || error != std::errc() || end != number.data() + number.size() || !std::isfinite(size)) {
    throw InputError(fmt::format(
        "subject '{}': wanted is fault/wrong_stage:STAGE:SIZE, as in fault/wrong_stage:layers.0.fc1:1e-3",
        name));
  }
  if (size == 0) throw InputError(fmt::format("subject '{}': a stage that is wrong by 0 is right", name));
  const std::string family = stage_family(std::string(stage));
  const bool known = std::ranges::any_of(blocks(), [&](const BlockEntry& entry) {
    const std::vector<std::string> families = stage_families(entry);
    return std::ranges::find(families, family) != families.end();
  });
  if (!known) {
    throw InputError(fmt::format(
        "subject '{}': no block has a stage '{}'; 'deformdiff list stages' names them", name, stage));
  }
  return {name, {{worker_program(), "--fault", name}, name}, {}, {}};
}

/// torchop:FILE.so#ns::ms_deform_attn?key=value&...
SubjectSpec operator_spec(const std::string& typed) {
  const auto refuse = [&](const std::string& why) {
    throw InputError(
        fmt::format("subject '{}': {}; wanted is torchop:FILE.so#ns::ms_deform_attn", typed, why));
  };
  const std::string_view body = std::string_view(typed).substr(kOperatorScheme.size());
  const std::size_t hash = body.find('#');
  if (hash == std::string_view::npos || hash == 0) refuse("the file or the namespace behind '#' is missing");
  const std::size_t question = body.find('?', hash);
  const fs::path file = body.substr(0, hash);
  std::string_view name =
      body.substr(hash + 1, question == std::string_view::npos ? question : question - hash - 1);
  if (name.ends_with(kOperatorName)) name.remove_suffix(kOperatorName.size());
  if (name.empty() || name.find(':') != std::string_view::npos)
    refuse(fmt::format("'{}' is no such operator", name));
  const Declaration declaration = declaration_in(
      typed, question == std::string_view::npos ? question : kOperatorScheme.size() + question);
  if (!fs::is_regular_file(file)) refuse(fmt::format("there is no file {}", file.string()));

  const std::string address = fmt::format("{}#{}", fs::absolute(file).string(), name);
  std::vector<std::string> argv{worker_program(), "--operator", address};
  if (const std::string* device = declaration.find("device")) argv.insert(argv.end(), {"--device", *device});
  SubjectSpec spec{typed, {std::move(argv), address}, {}, file.string()};
  declare(declaration, spec);
  return spec;
}

}  // namespace

std::string worker_program() {
  const fs::path worker = worker_path();
  if (!fs::exists(worker)) {
    throw InputError(fmt::format(
        "{} is missing, and with it every built-in implementation: it is built where LibTorch is found (run "
        "harness/setup.sh build). What is called from Python needs none of it: --subject python:FILE.py",
        worker.string()));
  }
  fork_workers_of({worker.string()});
  return worker.string();
}

bool is_fault_name(std::string_view name) {
  return name.starts_with("fault/") || name.starts_with("control/");
}

bool is_listed_name(std::string_view name) {
  return is_fault_name(name) || name.find(':') == std::string_view::npos;
}

WorkerList ask_worker(const std::vector<std::string>& argv, const Deadline& end) {
  using Event = WorkerProcess::Event;
  const double patience = RunLimits{}.start_timeout_seconds;
  std::string why;
  Event event = Event::kEnded;
  for (int starts = 0; starts < kWorkerStarts && event != Event::kDeadline; ++starts) {
    WorkerProcess worker(argv, 0);
    event = worker.receive(end.within(patience).time);
    if (event == Event::kMessage) {
      const wire::Hello hello = wire::decode_hello(worker.header(), worker.data());
      return {hello.subjects, hello.environment};
    }
    why = event == Event::kNonsense  ? "it wrote nonsense: " + worker.describe_nonsense()
          : event == Event::kStopped ? worker.describe_stop()
          : event == Event::kEnded   ? worker.describe_end()
          : end.passed()             ? "the time was up before it said what it serves"
                         : fmt::format("it does not say within {:.4g} s what it serves", patience);
    if (const std::string words = worker.last_words(); !words.empty()) why += "; its last words: " + words;
  }
  throw InputError(fmt::format("{} does not start: {}", argv.front(), why));
}

const WorkerList& builtin_subjects(const Deadline& end) {
  static const WorkerList list = ask_worker({worker_program()}, end);
  return list;
}

const WorkerList& faults_and_controls(const Deadline& end) {
  static const WorkerList list = [&] {
    WorkerList all = ask_worker({worker_program(), "--faults"}, end);
    std::erase_if(all.subjects, [](const SubjectInfo& info) { return !is_fault_name(info.name); });
    return all;
  }();
  return list;
}

SubjectSpec parse_subject(const std::string& typed) {
  if (typed.starts_with(kOperatorScheme)) return operator_spec(typed);
  if (typed.starts_with(kWrongStage)) return wrong_stage_spec(typed);
  if (typed.starts_with(kPythonScheme)) return python_spec(typed);
  if (typed.starts_with(kWorkerScheme)) return worker_spec(typed);
  if (typed.starts_with("torchscript:")) {
    throw InputError(fmt::format(
        "subject '{}': a module has parameters of its own: `deformdiff check` makes cases for it, which "
        "replay, explain and shrink then take",
        typed));
  }
  if (typed.starts_with("recorded:")) {
    throw InputError(
        fmt::format("subject '{}': a recording answers the case that `deformdiff judge` saved", typed));
  }
  return builtin_spec(typed);
}

std::vector<SubjectSpec> parse_subjects(const std::vector<std::string>& typed,
                                        const std::function<SubjectSpec(const std::string&)>& parse) {
  std::vector<SubjectSpec> specs;
  const auto add = [&](SubjectSpec spec) {
    if (std::ranges::find(specs, spec.name, &SubjectSpec::name) == specs.end())
      specs.push_back(std::move(spec));
  };
  for (const std::string& name : typed) add(parse(name));
  if (!typed.empty()) return specs;
  for (const SubjectInfo& info : builtin_subjects().subjects) {
    if (!is_fault_name(info.name)) add(builtin_spec(info.name));
  }
  return specs;
}

std::set<std::string> blocks_served(const SubjectSpec& spec, const RunLimits& limits) {
  if (is_listed_name(spec.name)) {
    const std::vector<SubjectInfo>& list = list_for(spec.command.subject);
    const auto listed = std::ranges::find(list, spec.command.subject, &SubjectInfo::name);
    if (listed != list.end()) return listed->blocks;
  }
  const Subject subject = open_subject(spec, limits);
  if (subject.started()) return subject.info.blocks;
  return {blocks().front().block->name()};
}

}  // namespace deformdiff
