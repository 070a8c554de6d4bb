// Implementations that answer from programs of others: a Python interpreter, or a worker in any language.
#pragma once

#include "engine/subject.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

constexpr std::string_view kPythonScheme = "python:";
constexpr std::string_view kWorkerScheme = "worker:";

/// python:FILE.py#NAME?python=PATH&..., python:package.module#NAME?...: started as harness/python/README.md
/// says. Throws InputError naming the address for a file, an interpreter or a package that is not there, and
/// for a bad declaration. What is in the file is the worker's to say.
SubjectSpec python_spec(const std::string& typed);

/// worker:COMMAND#NAME?...: COMMAND is started as it is, without a shell. Throws InputError naming the
/// address where COMMAND or NAME is missing, for a quote that does not end, and for a bad declaration.
SubjectSpec worker_spec(const std::string& typed);

/// Whether the worker of the Python package runs the exported module, and not LibTorch's: by its ending, .pt2
/// or .onnx.
bool is_python_module(const std::filesystem::path& file);

/// What starts the worker for such a module, by $DEFORMDIFF_PYTHON or python3. Throws InputError where the
/// package is not beside this program.
std::vector<std::string> python_module_command(const std::filesystem::path& file);

/// Words of a command line: separated by spaces, those in '...' or "..." taken as they stand. Throws
/// InputError for a quote that does not end.
std::vector<std::string> command_words(std::string_view line);

}  // namespace deformdiff
