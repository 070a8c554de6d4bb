// What is kept of failures: one entry a signature, and its file.
#pragma once

#include "core/case_file.h"
#include "engine/compare.h"
#include "engine/excuse.h"
#include "engine/finding.h"
#include "engine/reducer.h"
#include "engine/subject.h"

#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// One line for people: "cpu: out_of_bound: output[0] = 2, wanted 1 +- 1e-7 (ratio 1e+07) on a case of 7
/// numbers".
std::string one_line(const std::string& subject, const Comparison& comparison, const Case& c,
                     std::size_t earlier_calls);

/// floor(log10(ratio)); 0 where there is no finite positive ratio.
int decade_of(double ratio);

/// Nothing where no element decided.
std::optional<WrongElement> wrong_element_of(const Comparison& comparison);

/// The finding of a command that judges a case from `file` and does not shrink it.
Finding judged_finding(Signature signature, const Case& c, const Comparison& comparison,
                       const std::filesystem::path& file);

/// Writes the case that `make` makes to the finding's file, whose folder is made too, or says in the finding
/// why there is none.
void save_judged(Finding& finding, const std::function<SavedCase()>& make);

/// Name of a finding's file without its ending: stable, unlike that of any other, safe in a path and on a
/// command line. `beside` is what makes it another finding beside its signature, or empty.
std::string finding_id(const Signature& signature, const std::string& beside);

/// The case with what replay needs to know of the finding.
SavedCase saved_case(const Subject& subject, const Signature& signature, Case problem, Calls earlier,
                     const Comparison& comparison);

/// What makes failures one finding.
struct FindingKey {
  Signature signature;
  Excuse excuse;
  std::optional<NumberKinds>
      needs;  ///< of its smallest case, where the signature's first finding needs others
  friend auto operator<=>(const FindingKey&, const FindingKey&) = default;
};

/// Name of the file of a session's finding.
std::string finding_id(const FindingKey& key);

/// Of a finding that is its signature's first.
FindingKey filed_under(const Finding& finding);

/// On account of which case a key leads to its finding.
struct LeadOrigin {
  std::uint64_t index = 0;
  std::string met_as;  ///< finding_id of the key under which that case was met; empty if that is this key
};

/// Cases that were met under a key.
struct Lead {
  LeadOrigin origin;
  std::int64_t count = 0;                   ///< of the stream
  std::optional<std::uint64_t> first_case;  ///< of these
};

struct KeyAndLead {
  FindingKey key;
  Lead lead;
};

/// The findings of a session. A reference stays valid until the finding is refiled as another one.
class FindingBook {
 public:
  /// Creates the folder. Throws InputError if it cannot.
  explicit FindingBook(std::filesystem::path folder);

  /// nullptr if there is none.
  Finding* find(const FindingKey& key) const;

  /// By the key's finding_id.
  Finding* find(const std::string& id) const;

  Finding& add(const FindingKey& key, const LeadOrigin& origin);

  /// Those of the signature that nothing excuses, in the order in which they were added.
  std::vector<Finding*> causes_of(const Signature& signature);

  /// From here on `also`, if nothing is known of it, leads to the finding.
  void lead(const FindingKey& also, Finding& finding, const LeadOrigin& origin) {
    by_key_.emplace(also, Way{&finding, {origin, 0, {}}});
  }

  /// Case `index` of the stream was met under the key, which leads to a finding: it counts there.
  void count(const FindingKey& key, std::uint64_t index);

  /// Under which a finding is filed.
  FindingKey own_key(const Finding& finding) const;

  /// Files the finding, at present the owner of a saved file, under the key that its smallest case, `saved`,
  /// has; the new file is written before the old one goes, so that a kill at any moment leaves one
  /// of them. Where that is another finding's they are one: the other gets the count, and the case if it is
  /// smaller; this one and its file go. The finding that stays. What led to `finding` leads to it.
  Finding& refile(Finding& finding, const FindingKey& key, const SavedCase& saved, const LeadOrigin& origin);

  /// What a declaration leaves out is no evidence; now that all is met, what it belongs to. Where its
  /// signature has a finding that is not left out, preferably one that nothing excuses, they are one. Else it
  /// is excused if something speaks for the declaration (a finding of the subject that agrees under it, or
  /// itself, being a refusal) and nothing against it (a finding of the subject by the same rule that nothing
  /// excuses).
  void settle();

  /// Writes the case to the finding's file in place of what is there. False where that cannot be: then what
  /// is there stays, or the finding says why there is nothing; what else it says of the case is true all the
  /// same.
  bool save(Finding& finding, const SavedCase& saved) const;

  /// Takes up a finding of an earlier sitting of the run, with what led to it.
  void restore(Finding finding, const std::vector<KeyAndLead>& leads);

  /// What leads to the finding; their counts sum to its own.
  std::vector<KeyAndLead> leads_of(const Finding& finding) const;

  std::size_t size() const { return findings_.size(); }
  const std::list<Finding>& findings() const { return findings_; }

  /// Those of a subject, in the order in which they were added.
  std::vector<Finding*> of_subject(const std::string& subject);

  std::vector<Finding> all() const { return {findings_.begin(), findings_.end()}; }

 private:
  struct Way {
    Finding* to;
    Lead lead;
  };

  void merge(Finding& finding, Finding& into);
  bool is_excused(const Finding& left_out) const;
  void remove_files(const std::filesystem::path& case_path) const;
  std::filesystem::path path_of(const FindingKey& key) const;

  std::filesystem::path folder_;
  std::list<Finding> findings_;
  std::map<FindingKey, Way> by_key_;
};

}  // namespace deformdiff
