#include "worker/module/loader.h"

#include <algorithm>
#include <caffe2/serialize/inline_container.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <string_view>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/jit_type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/csrc/jit/serialization/import.h>

namespace deformdiff::worker {
namespace {

using caffe2::serialize::PyTorchStreamReader;

constexpr const char* kExport = "export the module with torch.jit.trace or torch.jit.script";

std::string first_line(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \n"), text.size());
  return std::string(text.substr(begin, text.find('\n', begin) - begin));
}

/// Why the file cannot even be an archive; empty if it can.
std::string why_no_archive(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  char magic[4] = {};
  if (!stream) return fmt::format("{}: cannot be opened: {}", file, std::strerror(errno));
  if (!stream.read(magic, sizeof magic) && stream.gcount() == 0) {
    return fmt::format("{}: cannot be read, or is empty", file);
  }
  // Where a zip archive begins. The old formats of torch.save are pickles or tar files.
  if (std::string_view(magic, sizeof magic) != std::string_view("PK\3\4", 4)) {
    return fmt::format("{}: is not a TorchScript file (.pt): {}", file, kExport);
  }
  return {};
}

bool has_any(const std::vector<std::string>& records, std::initializer_list<std::string_view> wanted) {
  return std::any_of(records.begin(), records.end(), [&](const std::string& record) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](std::string_view prefix) { return record.starts_with(prefix); });
  });
}

std::string read_record(PyTorchStreamReader& reader, const std::string& name) {
  const auto [data, size] = reader.getRecord(name);
  return {static_cast<const char*>(data.get()), size};
}

/// Operators that the archive's code calls and that are not registered. Operators of LibTorch's own are
/// called torch.NAME there, others ops.NAMESPACE.NAME.
std::set<std::string> missing_operators(PyTorchStreamReader& reader,
                                        const std::vector<std::string>& records) {
  static const std::regex call(R"(\bops\.([A-Za-z_]\w*)\.([A-Za-z_]\w*)\()");
  std::set<std::string> missing;
  for (const std::string& record : records) {
    if (!record.starts_with("code/") || !record.ends_with(".py")) continue;
    const std::string code = read_record(reader, record);
    for (std::sregex_iterator at(code.begin(), code.end(), call), end; at != end; ++at) {
      const auto symbol = c10::Symbol::fromQualString(fmt::format("{}::{}", at->str(1), at->str(2)));
      if (torch::jit::getAllOperatorsFor(symbol).empty()) missing.insert(symbol.toQualString());
    }
  }
  return missing;
}

/// Why the archive is not a module that can be loaded here; empty if it may be one.
std::string why_no_module(const std::string& file) {
  PyTorchStreamReader reader(file);
  const std::vector<std::string> records = reader.getAllRecords();
  if (has_any(records, {"archive_format", "models/", "serialized_exported_program.json"})) {
    return fmt::format(
        "{}: is a torch.export package, and is read as one if its name ends with .pt2: rename it", file);
  }
  if (!has_any(records, {"code/"}) || !has_any(records, {"constants.pkl"})) {
    return fmt::format("{}: was saved by torch.save and holds no code: {}, then save that", file, kExport);
  }
  const std::set<std::string> missing = missing_operators(reader, records);
  if (missing.empty()) return {};
  return fmt::format(
      "{}: unsupported operator: it calls {}, which is not part of LibTorch and not registered here", file,
      fmt::join(missing, ", "));
}

}  // namespace

std::variant<torch::jit::Module, std::string> load_module(const std::string& file) {
  std::string refusal = why_no_archive(file);
  if (!refusal.empty()) return refusal;
  try {
    refusal = why_no_module(file);
    if (!refusal.empty()) return refusal;
    torch::jit::Module module = torch::jit::load(file, c10::Device(c10::DeviceType::CPU));
    if (!module.find_method("forward")) return fmt::format("{}: the module has no method forward", file);
    return module;
  } catch (const c10::Error& error) {
    return fmt::format("{}: cannot be loaded: {}", file, first_line(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return fmt::format("{}: cannot be loaded: {}", file, first_line(error.what()));
  }
}

std::vector<std::optional<TracedInput>> traced_inputs(const std::string& file) {
  if (!PyTorchStreamReader(file).hasRecord("traced_inputs.pkl")) return {};
  torch::jit::ExtraFilesMap no_files;
  const torch::jit::Module module = torch::jit::import_ir_module(
      std::make_shared<torch::jit::CompilationUnit>(), file, c10::Device(c10::DeviceType::CPU), no_files,
      /*load_debug_files=*/false, /*restore_shapes=*/true);
  std::vector<std::optional<TracedInput>> inputs;
  const auto graph = module.get_method("forward").graph();
  for (const torch::jit::Value* input : graph->inputs().slice(1)) {
    const auto type = input->type()->cast<c10::TensorType>();
    const auto sizes = type ? type->sizes().concrete_sizes() : std::nullopt;
    inputs.emplace_back();
    if (!sizes) continue;
    const auto dtype = type->scalarType();
    inputs.back() = TracedInput{*sizes, dtype && at::isFloatingType(*dtype)};
  }
  return inputs;
}

}  // namespace deformdiff::worker
