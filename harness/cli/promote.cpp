#include "cli/promote.h"

#include "catalog/catalog.h"
#include "cli/cases_folder.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "core/error.h"

#include <algorithm>
#include <cctype>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHashExtension = 13;  ///< of a companion: a dot and 12 digits

/// A folder for the time that writing takes; no pattern for cases matches what lies in it.
class ScratchFolder {
 public:
  explicit ScratchFolder(const fs::path& parent) : path_(parent / fmt::format(".promote-{}", ::getpid())) {
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) throw InputError(fmt::format("{}: cannot create: {}", parent.string(), error.message()));
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::vector<fs::path> files_in(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) files.push_back(entry.path());
  return files;
}

/// Unlike a rename, a link never replaces what is there.
void link_into_place(const fs::path& file, const fs::path& place) {
  std::error_code error;
  fs::create_hard_link(file, place, error);
  if (error == std::errc::file_exists) {
    throw InputError(fmt::format("{}: is there already: choose another name with --as", place.string()));
  }
  if (error) throw InputError(fmt::format("{}: cannot be written: {}", place.string(), error.message()));
}

std::string name_of_case(const Options& options) {
  const std::string name = options.name.empty() ? options.files.front().stem().string() : options.name;
  const bool is_safe = std::ranges::all_of(name, [](unsigned char c) {
    return c < 128 && (std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.');
  });
  if (!is_safe || name.empty() || name.front() == '.' || name.front() == '-') {
    throw InputError(fmt::format(
        "--as '{}': a name of letters, digits, '_', '-' and '.' wanted, that begins with a letter or digit",
        name));
  }
  return name;
}

SavedCase read_finding(const fs::path& path) {
  SavedCase saved = read_case(path);
  if (!saved.signature) {
    throw InputError(fmt::format("{}: field 'signature' is missing: only the case of a finding is promoted",
                                 path.string()));
  }
  try {
    find_block(saved.problem.block).block->validate(saved.problem);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", path.string(), error.what()));
  }
  return saved;
}

}  // namespace

SavedCase as_regression(SavedCase finding) {
  // Names the implementation from any folder, where the signature has it as it was typed.
  if (!finding.subject.empty()) finding.signature.value().subject = std::exchange(finding.subject, "");
  finding.expectation = name_of(Verdict::kAgree);
  return finding;
}

void place_case(const fs::path& folder, const std::string& name, const SavedCase& saved) {
  const ScratchFolder scratch(folder);
  const fs::path file = scratch.path() / (name + ".json");
  write_case(file, saved);
  const fs::path place = folder / file.filename();
  std::vector<fs::path> placed;
  try {
    for (const fs::path& companion : files_in(scratch.path())) {
      if (companion == file) continue;
      const fs::path beside = folder / companion.filename();
      // Its name holds its hash: what has this name is the same.
      if (fs::exists(beside)) continue;
      link_into_place(companion, beside);
      placed.push_back(beside);
    }
    link_into_place(file, place);
  } catch (const InputError&) {
    std::error_code ignored;
    for (const fs::path& companion : placed) fs::remove(companion, ignored);
    throw;
  }
}

void remove_case(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) throw InputError(fmt::format("{}: cannot be removed: {}", path.string(), error.message()));
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  for (const fs::path& file : files_in(folder)) {
    const fs::path stem = file.stem();  // NAME.HASH
    const bool is_companion = file.extension() == ".safetensors" && stem.stem() == path.stem() &&
                              stem.extension().string().size() == kHashExtension;
    if (is_companion) fs::remove(file, error);
  }
}

int run_promote(const Options& options) {
  const fs::path& finding = options.files.front();
  const std::string name = name_of_case(options);
  SavedCase saved = read_finding(finding);
  if (!options.note.empty()) saved.note = options.note;
  if (options.fixed) saved = as_regression(std::move(saved));
  const auto cases = find_cases_folder(options.cases_folder, "--cases");
  if (!cases) {
    throw InputError("promote: there is no folder cases/ here: call it where that lies, or give --cases DIR");
  }
  const fs::path folder = *cases / saved.problem.block / (options.fixed ? "regression" : "open");
  place_case(folder, name, saved);
  remove_case(finding);
  const std::string place = (folder / (name + ".json")).string();
  say(options, fmt::format("{}\n  deformdiff replay {}\n", place, place));
  return 0;
}

}  // namespace deformdiff::cli
