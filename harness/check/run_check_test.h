// `deformdiff check` as a user runs it, for tests: the program, and what it reports.
#pragma once

#include "core/safetensors.h"
#include "core/test_folder.h"
#include "subjects/subject.h"
#include "worker/tensors.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

namespace deformdiff::worker {

/// Where the running test leaves modules and reports.
inline const TestFolder& folder() {
  static const TestFolder of_the_test;
  return of_the_test;
}

struct Checked {
  int exit_code;
  std::string messages;  ///< of standard error
  nlohmann::json report;
};

/// Runs a command of the program. `name` makes the names of the files that the run leaves.
inline Checked run_program(const std::string& command_name, const std::string& name,
                           const std::string& arguments) {
  const auto text_of = [](const std::filesystem::path& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  };
  const std::filesystem::path report = folder() / (name + ".json"), messages = folder() / (name + ".txt");
  std::filesystem::remove(report);
  const std::string command = std::string(DEFORMDIFF_PROGRAM) + " " + command_name + " " + arguments +
                              " --quiet --out " + (folder() / (name + ".out")).string() +
                              " --report json:" + report.string() + " 2> " + messages.string();
  const int status = std::system(command.c_str());
  Checked checked{WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(messages), {}};
  if (std::filesystem::exists(report)) checked.report = nlohmann::json::parse(text_of(report));
  return checked;
}

inline Checked check(const std::string& name, const std::string& arguments) {
  return run_program("check", name, arguments);
}

/// The flags that give a call's inputs, which are written to a file: --input-order and --inputs.
inline std::string example_flags(const std::string& name, const Call& call) {
  std::string order;
  SafetensorsFile example;
  for (std::size_t i = 0; i < call.names.size(); ++i) {
    const std::string& input = call.names[i];
    if (input.starts_with("param.")) continue;
    order += (order.empty() ? "" : ",") + input;
    example.tensors.push_back({"in." + input, from_torch(call.inputs[i])});
  }
  const std::filesystem::path inputs = folder() / (name + ".inputs.safetensors");
  write_safetensors(inputs, example);
  return " --input-order " + order + " --inputs " + inputs.string();
}

}  // namespace deformdiff::worker
