#include "engine/journal/filing.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

namespace deformdiff {
namespace {

/// A case on whose account a run took a key to lead to a finding.
struct Event {
  std::uint64_t index;
  std::string met_as;  ///< the key under which the case was met; empty if that is this one
  std::size_t run;
  std::string id;         ///< of the key
  std::string unexcused;  ///< id of the key of the same signature that nothing excuses; empty if that is it
  std::string finding;
};

void add_events(std::size_t run, const FindingRecord& record, std::vector<Event>& events) {
  const std::string finding = record.finding.case_path.stem().string();
  for (const auto& [key, lead] : record.leads) {
    const std::string unexcused = key.excuse == Excuse{} ? "" : finding_id({key.signature, {}, {}});
    Event event{lead.origin.index, lead.origin.met_as, run, finding_id(key), unexcused, finding};
    events.push_back(event);
    if (event.met_as.empty() || !lead.first_case) continue;
    event.index = *lead.first_case;
    event.met_as.clear();
    events.push_back(std::move(event));
  }
}

}  // namespace

Filing::Filing(std::span<const BlockOfRun* const> runs) {
  std::vector<Event> events;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    for (const FindingRecord& record : runs[run]->findings) add_events(run, record, events);
  }
  // What a case led to comes after that it was met.
  std::ranges::stable_sort(events, {}, [](const Event& event) {
    return std::tuple(event.index, !event.met_as.empty(), event.run);
  });

  std::map<std::string, std::size_t> decided_by;  ///< the run, by key
  for (const Event& event : events) {
    if (decided_by.contains(event.id)) continue;
    const auto unexcused = finding_of_.find(event.unexcused);
    if (unexcused != finding_of_.end()) {
      finding_of_[event.id] = unexcused->second;
      decided_by[event.id] = decided_by.at(event.unexcused);
      continue;
    }
    const auto led_by = decided_by.find(event.met_as);
    const bool was_shrunk =
        event.met_as.empty() || (led_by != decided_by.end() && led_by->second == event.run);
    if (!was_shrunk) continue;
    finding_of_[event.id] = event.finding;
    decided_by[event.id] = event.run;
  }
  for (const auto& [id, finding] : finding_of_) findings_.insert(finding);
}

const std::string& Filing::finding_of(const std::string& id) const {
  const auto found = finding_of_.find(id);
  return found == finding_of_.end() ? id : found->second;
}

}  // namespace deformdiff
