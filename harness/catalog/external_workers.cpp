#include "catalog/external_workers.h"

#include "catalog/address_text.h"
#include "catalog/declarations.h"
#include "core/declaration.h"
#include "core/error.h"
#include "core/files.h"
#include "engine/worker_process.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

#include <fmt/format.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStarter = "start_worker.py";

/// Of the Python package, in which the program lies (a wheel) or beside which (a build, an installation).
fs::path python_starter() {
  const fs::path programs = worker_path().parent_path();
  for (const char* package : {"..", "../share/deformdiff/python/deformdiff"}) {
    const fs::path starter = (programs / package / kStarter).lexically_normal();
    if (fs::exists(starter)) return starter;
  }
  throw InputError(fmt::format("{} is not beside {}: it is part of every build and installation", kStarter,
                               programs.string()));
}

/// That of the environment for which deformdiff was installed, or the one on the path.
std::string default_interpreter() {
  const char* const installed = std::getenv("DEFORMDIFF_PYTHON");
  return installed != nullptr && *installed != '\0' ? installed : "python3";
}

/// The interpreter that is named, or the default one.
std::string interpreter_of(const Address& address) {
  const auto named = address.settings.find("python");
  if (named == address.settings.end()) return default_interpreter();
  const fs::path python = named->second;
  if (!python.has_parent_path()) return named->second;
  if (::access(python.c_str(), X_OK) != 0 || fs::is_directory(python)) {
    throw InputError(fmt::format("python={}: there is no such program", named->second));
  }
  // Not where a link leads to: a virtual environment is known by the name that is called.
  return fs::absolute(python).string();
}

bool is_module_name(std::string_view text) {
  const bool plain = std::ranges::all_of(
      text, [](unsigned char c) { return c == '_' || c == '.' || c >= 128 || std::isalnum(c) != 0; });
  return plain && !text.empty() && text.front() != '.' && text.back() != '.' && !text.ends_with(".py");
}

SubjectSpec made_python_spec(const std::string& typed) {
  const Address address = split_address(typed, kPythonScheme, {"python"});
  const std::string source = address.file.string();
  if (source.empty()) throw InputError("wanted is python:FILE.py#NAME or python:package.module#NAME");
  const bool is_module = is_module_name(source) && !fs::is_regular_file(source);
  if (!is_module && !fs::is_regular_file(source)) {
    throw InputError(fmt::format(
        "there is no file {}{}", source,
        source.find('/') == std::string::npos && source.ends_with(".py") ? " in this folder" : ""));
  }
  std::string name = is_module ? source : fs::absolute(source).string();
  std::vector<std::string> argv{interpreter_of(address), python_starter().string(),
                                is_module ? "--module" : "--file", name};
  if (!address.tag.empty()) {
    argv.insert(argv.end(), {"--name", address.tag});
    name += "#" + address.tag;
  }
  argv.insert(argv.end(), {"--subject", name});
  if (const std::string* device = address.declared.find("device")) {
    argv.insert(argv.end(), {"--device", *device});
  }
  fork_workers_of(argv);
  SubjectSpec spec{typed, {std::move(argv), name}, {}, is_module ? "" : source};
  declare(address.declared, spec);
  return spec;
}

SubjectSpec made_worker_spec(const std::string& typed) {
  const Address address = split_address(typed, kWorkerScheme, {});
  std::vector<std::string> argv = command_words(address.file.string());
  if (argv.empty() || address.tag.empty()) {
    throw InputError(
        "the command, or the implementation's name behind '#', is missing; wanted is "
        "worker:COMMAND#NAME");
  }
  // What a case is saved with, as far as it is known: the program, or the first file that it is given.
  const auto file =
      std::ranges::find_if(argv, [](const std::string& word) { return fs::is_regular_file(word); });
  std::string library = file == argv.end() ? "" : *file;
  SubjectSpec spec{typed, {std::move(argv), address.tag}, {}, std::move(library)};
  declare(address.declared, spec);
  return spec;
}

SubjectSpec named(const std::string& typed, SubjectSpec (*make)(const std::string&)) {
  try {
    return make(typed);
  } catch (const InputError& error) {
    const std::string prefix = fmt::format("subject '{}': ", typed);
    const std::string_view why = error.what();
    throw InputError(why.starts_with(prefix) ? std::string(why) : prefix + std::string(why));
  }
}

}  // namespace

std::vector<std::string> command_words(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (const char c : line) {
    if (quote == 0 && c == ' ') {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    const bool opens = quote == 0 && (c == '\'' || c == '"');
    if (opens || c == quote) {
      quote = opens ? c : 0;
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) throw InputError(fmt::format("the quote {} does not end", quote));
  return words;
}

bool is_python_module(const fs::path& file) {
  return file.extension() == ".pt2" || file.extension() == ".onnx";
}

std::vector<std::string> python_module_command(const fs::path& file) {
  return {default_interpreter(), python_starter().string(), "--exported", file.string()};
}

SubjectSpec python_spec(const std::string& typed) {
  return named(typed, made_python_spec);
}

SubjectSpec worker_spec(const std::string& typed) {
  return named(typed, made_worker_spec);
}

}  // namespace deformdiff
