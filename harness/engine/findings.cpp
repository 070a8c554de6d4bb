#include "engine/findings.h"

#include "core/sha256.h"
#include "engine/case_hash.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

constexpr std::size_t kLongestReason = 240;
constexpr std::size_t kLongestName = 40;

std::string in_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  if (text.size() > kLongestReason) text = text.substr(0, kLongestReason) + " ...";
  return text;
}

/// Begins with a letter: no program takes it for an option.
std::string safe_in_a_path(const std::string& name) {
  std::string safe = name.size() > kLongestName ? name.substr(name.size() - kLongestName) : name;
  const auto is_letter = [](unsigned char c) { return c < 128 && std::isalpha(c) != 0; };
  safe.erase(safe.begin(), std::find_if(safe.begin(), safe.end(), is_letter));
  if (safe.empty()) safe = "subject";
  std::replace_if(
      safe.begin(), safe.end(),
      [](unsigned char c) { return c >= 128 || (std::isalnum(c) == 0 && c != '_'); }, '-');
  return safe;
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw InputError(fmt::format("{}: cannot create: {}", folder.string(), error.message()));
}

/// The address as typed, but for the path of the library, which is to be found from another folder too.
std::string address_from_anywhere(const SubjectSpec& spec) {
  const std::size_t at = spec.library.empty() ? std::string::npos : spec.name.find(spec.library);
  if (at == std::string::npos) return spec.name;
  std::string address = spec.name;
  return address.replace(at, spec.library.size(), std::filesystem::absolute(spec.library).string());
}

}  // namespace

std::string one_line(const std::string& subject, const Comparison& comparison, const Case& c,
                     std::size_t earlier_calls) {
  std::string line = fmt::format("{}: {}: {} on a case of {} numbers", subject, name_of(comparison.verdict),
                                 in_one_line(comparison.reason), element_count(c));
  if (earlier_calls > 0) {
    line += fmt::format(", depends on {} earlier call{}", earlier_calls, earlier_calls == 1 ? "" : "s");
  }
  return line;
}

int decade_of(double ratio) {
  return ratio > 0 && std::isfinite(ratio) ? static_cast<int>(std::floor(std::log10(ratio))) : 0;
}

Finding judged_finding(Signature signature, const Case& c, const Comparison& comparison,
                       const std::filesystem::path& file) {
  Finding finding;
  finding.signature = std::move(signature);
  finding.decade = decade_of(comparison.ratio);
  finding.count = 1;
  finding.case_path = file;
  finding.original_elements = finding.shrunk_elements = element_count(c);
  finding.one_line =
      fmt::format("{}: {}: {}", finding.signature.subject, finding.signature.rule, comparison.reason);
  return finding;
}

void save_judged(Finding& finding, const std::function<SavedCase()>& make) {
  try {
    make_folder(finding.case_path.parent_path());
    write_case(finding.case_path, make());
  } catch (const InputError& error) {
    finding.not_saved = error.what();
  }
}

std::string finding_id(const Signature& signature, const std::string& beside) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n{}", signature.block, signature.subject, signature.rule,
                                 signature.output, signature.element_class);
  if (!beside.empty()) text += "\n" + beside;
  const std::uint64_t hash = hash_bytes(std::as_bytes(std::span(text)));
  return fmt::format("{}-{}-{}-{:010x}", safe_in_a_path(signature.subject), signature.rule,
                     signature.element_class, hash >> 24);
}

SavedCase saved_case(const Subject& subject, const Signature& signature, Case problem, Calls earlier,
                     const Comparison& comparison) {
  SavedCase saved;
  saved.note = one_line(subject.spec.name, comparison, problem, earlier.size());
  saved.problem = std::move(problem);
  saved.earlier_calls = std::move(earlier);
  saved.expectation = signature.rule;
  saved.subject = address_from_anywhere(subject.spec);
  saved.signature = signature;
  if (std::filesystem::is_regular_file(subject.spec.library)) {
    saved.subject_sha256 = sha256_of_file(subject.spec.library);
  }
  return saved;
}

FindingBook::FindingBook(std::filesystem::path folder) : folder_(std::move(folder)) {
  make_folder(folder_);
}

Finding* FindingBook::find(const FindingKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

Finding& FindingBook::add(const FindingKey& key) {
  Finding& finding = findings_.emplace_back();
  finding.signature = key.signature;
  finding.excused_by = key.excused_by;
  finding.case_path = path_of(key);
  finding.not_saved = "nothing was written yet";
  by_key_[key] = &finding;
  return finding;
}

Finding& FindingBook::refile(Finding& finding, const Signature& signature, const SavedCase& saved) {
  const std::filesystem::path old_path = finding.case_path;
  const FindingKey key{signature, finding.excused_by};
  Finding* const known = find(key);
  if (known == nullptr || known == &finding) {
    finding.signature = signature;
    finding.case_path = path_of(key);
    by_key_[key] = &finding;
    if (save(finding, saved)) {
      remove_files(old_path);
    } else {
      finding.case_path = old_path;
    }
    return finding;
  }
  if (element_count(saved.problem) < known->shrunk_elements) save(*known, saved);
  remove_files(old_path);
  known->count += finding.count;
  known->first_case = std::min(known->first_case, finding.first_case);
  for (auto& [led_by, to] : by_key_) {
    if (to == &finding) to = known;
  }
  findings_.remove_if([&](const Finding& each) { return &each == &finding; });
  return *known;
}

/// The case and what is beside it of its tensors.
void FindingBook::remove_files(const std::filesystem::path& case_path) const {
  const std::string stem = case_path.stem().string() + ".";
  std::error_code ignored;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    if (entry.path().filename().string().starts_with(stem)) files.push_back(entry.path());
  }
  for (const std::filesystem::path& file : files) std::filesystem::remove(file, ignored);
}

std::filesystem::path FindingBook::path_of(const FindingKey& key) const {
  return folder_ / (finding_id(key.signature, key.excused_by) + ".json");
}

bool FindingBook::save(Finding& finding, const SavedCase& saved) const {
  bool written = true;
  try {
    write_case(finding.case_path, saved);
    finding.not_saved.clear();
  } catch (const InputError& error) {
    written = false;
    // Where an earlier, larger version was written, that is still there.
    if (!finding.not_saved.empty()) finding.not_saved = error.what();
  }
  finding.shrunk_elements = element_count(saved.problem);
  finding.earlier_calls = saved.earlier_calls.size();
  finding.one_line = saved.note;
  return written;
}

}  // namespace deformdiff
