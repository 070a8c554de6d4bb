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
#include <fmt/ranges.h>

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

void name(Finding& finding, const FindingKey& key) {
  finding.signature = key.signature;
  finding.excused_by = key.excuse.declaration;
  finding.left_out = key.excuse.left_out;
}

}  // namespace

std::string_view name_of(FindingStatus status) {
  return status == FindingStatus::kNew ? "new" : status == FindingStatus::kKnown ? "known" : "regression";
}

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

std::optional<WrongElement> wrong_element_of(const Comparison& comparison) {
  if (comparison.violating.empty()) return std::nullopt;
  return WrongElement{comparison.output, comparison.shape, comparison.element,  comparison.got,
                      comparison.wanted, comparison.bound, comparison.violating};
}

Finding judged_finding(Signature signature, const Case& c, const Comparison& comparison,
                       const std::filesystem::path& file) {
  Finding finding;
  finding.signature = std::move(signature);
  finding.decade = decade_of(comparison.ratio);
  finding.worst = wrong_element_of(comparison);
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

std::string finding_id(const FindingKey& key) {
  std::vector<std::string> beside;
  if (!key.excuse.declaration.empty()) beside.push_back(key.excuse.declaration);
  if (key.excuse.left_out) beside.emplace_back("left out");
  if (key.needs) beside.push_back(text_of(*key.needs));
  return finding_id(key.signature, fmt::format("{}", fmt::join(beside, "\n")));
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

FindingKey filed_under(const Finding& finding) {
  return {finding.signature, {finding.excused_by, finding.left_out}, {}};
}

FindingBook::FindingBook(std::filesystem::path folder) : folder_(std::move(folder)) {
  make_folder(folder_);
}

Finding* FindingBook::find(const FindingKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second.to;
}

Finding* FindingBook::find(const std::string& id) const {
  const auto found =
      std::ranges::find_if(by_key_, [&](const auto& entry) { return finding_id(entry.first) == id; });
  return found == by_key_.end() ? nullptr : found->second.to;
}

Finding& FindingBook::add(const FindingKey& key, const LeadOrigin& origin) {
  Finding& finding = findings_.emplace_back();
  name(finding, key);
  finding.case_path = path_of(key);
  finding.not_saved = "nothing was written yet";
  by_key_[key] = {&finding, {origin, 0, {}}};
  return finding;
}

void FindingBook::count(const FindingKey& key, std::uint64_t index) {
  Way& way = by_key_.at(key);
  ++way.lead.count;
  ++way.to->count;
  way.lead.first_case = std::min(index, way.lead.first_case.value_or(index));
}

FindingKey FindingBook::own_key(const Finding& finding) const {
  const auto own = std::ranges::find_if(by_key_, [&](const auto& entry) {
    return entry.second.to == &finding && path_of(entry.first) == finding.case_path;
  });
  return own != by_key_.end() ? own->first : leads_of(finding).front().key;
}

std::vector<Finding*> FindingBook::causes_of(const Signature& signature) {
  std::vector<Finding*> causes;
  for (Finding& finding : findings_) {
    if (finding.signature == signature && finding.excused_by.empty()) causes.push_back(&finding);
  }
  return causes;
}

std::vector<Finding*> FindingBook::of_subject(const std::string& subject) {
  std::vector<Finding*> all;
  for (Finding& finding : findings_) {
    if (finding.signature.subject == subject) all.push_back(&finding);
  }
  return all;
}

void FindingBook::restore(Finding finding, const std::vector<KeyAndLead>& leads) {
  Finding& restored = findings_.emplace_back(std::move(finding));
  for (const auto& [key, lead] : leads) by_key_[key] = {&restored, lead};
}

std::vector<KeyAndLead> FindingBook::leads_of(const Finding& finding) const {
  std::vector<KeyAndLead> leads;
  for (const auto& [key, way] : by_key_) {
    if (way.to == &finding) leads.push_back({key, way.lead});
  }
  return leads;
}

Finding& FindingBook::refile(Finding& finding, const FindingKey& key, const SavedCase& saved,
                             const LeadOrigin& origin) {
  const std::filesystem::path old_path = finding.case_path;
  Finding* const known = find(key);
  if (known == nullptr || known == &finding) {
    name(finding, key);
    finding.case_path = path_of(key);
    lead(key, finding, origin);
    if (save(finding, saved)) {
      remove_files(old_path);
    } else {
      finding.case_path = old_path;
    }
    return finding;
  }
  if (element_count(saved.problem) < known->shrunk_elements) save(*known, saved);
  merge(finding, *known);
  return *known;
}

void FindingBook::settle() {
  for (auto next = findings_.begin(); next != findings_.end();) {
    Finding& finding = *next++;
    if (!finding.left_out) continue;
    Finding* same = find({finding.signature, {}, {}});
    if (same == nullptr) same = find({finding.signature, {finding.excused_by, false}, {}});
    if (same != nullptr) {
      merge(finding, *same);
    } else if (!is_excused(finding)) {
      finding.excused_by.clear();
    }
  }
  for (Finding& finding : findings_) finding.left_out = false;
}

bool FindingBook::is_excused(const Finding& left_out) const {
  bool spoken_for = speaks_for_itself({left_out.excused_by, true});
  for (const Finding& other : findings_) {
    const bool is_evidence = !other.left_out && other.signature.subject == left_out.signature.subject;
    if (!is_evidence) continue;
    if (other.excused_by.empty() && other.signature.rule == left_out.signature.rule) return false;
    if (other.excused_by == left_out.excused_by) spoken_for = true;
  }
  return spoken_for;
}

/// `finding` and its file go; what led to it leads to the other.
void FindingBook::merge(Finding& finding, Finding& into) {
  remove_files(finding.case_path);
  into.count += finding.count;
  into.first_case = std::min(into.first_case, finding.first_case);
  for (const std::uint64_t index : finding.cases) {
    if (into.cases.size() < kKeptCases) into.cases.push_back(index);
  }
  for (const auto& [trigger, cases] : finding.triggers) into.triggers[trigger] += cases;
  for (auto& [key, way] : by_key_) {
    if (way.to == &finding) way.to = &into;
  }
  findings_.remove_if([&](const Finding& each) { return &each == &finding; });
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
  return folder_ / (finding_id(key) + ".json");
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
