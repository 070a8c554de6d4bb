#include "engine/related_runner.h"

#include "engine/relation_judge.h"
#include "engine/subject.h"

#include <optional>
#include <utility>

namespace deformdiff {
namespace {

class RelatedRunner : public Runner {
 public:
  RelatedRunner(std::unique_ptr<Runner> inner, std::function<void(SubjectInfo&)> declare,
                FindEntry find_entry)
      : inner_(std::move(inner)), declare_(std::move(declare)), find_entry_(std::move(find_entry)) {}

  void prepare() override { inner_->prepare(); }

  SubjectInfo info(Outcome& failure) override {
    SubjectInfo said = inner_->info(failure);
    declared_ = said;
    declare_(declared_);
    return said;
  }

  const std::map<std::string, std::string>& environment() const override { return inner_->environment(); }

  void start(std::span<const Case> cases, CallMode mode) override {
    waiting_.assign(cases.begin(), cases.end());
    mode_ = mode;
  }

  /// One case after the other: all that is made of many would not fit into memory.
  std::vector<Outcome> finish() override {
    std::vector<Outcome> outcomes;
    for (const Case& c : std::exchange(waiting_, {})) {
      std::optional<Outcome> outcome = run_related(c);
      if (!outcome) break;
      outcomes.push_back(std::move(*outcome));
    }
    return outcomes;
  }

  void restart() override { inner_->restart(); }
  std::int64_t workers_started() const override { return inner_->workers_started(); }

 private:
  /// Nothing if the run ended.
  std::optional<Outcome> run_related(const Case& c) {
    // What does not even return on the case itself need not be waited for again and again.
    std::vector<Outcome> own = inner_->run({&c, 1}, mode_);
    if (own.empty()) return std::nullopt;
    Outcome outcome = std::move(own.front());
    const BlockEntry& entry = find_entry_(c.block);
    if (outcome.kind != Outcome::Kind::kReturned || entry.relations == nullptr) return outcome;

    const RelatedCases made = entry.relations->related(c);
    std::vector<Case> given;
    std::vector<Outcome> related;
    for (const Case* each : cases_of(made)) {
      related.push_back(admit(declared_, *entry.block, *each, 0));
      if (related.back().kind == Outcome::Kind::kReturned) given.push_back(*each);
    }
    std::vector<Outcome> returned = inner_->run(given, mode_);
    if (returned.size() < given.size()) return std::nullopt;
    auto next = returned.begin();
    for (Outcome& each : related) {
      if (each.kind == Outcome::Kind::kReturned) each = std::move(*next++);
    }
    outcome.related = std::move(related);
    return outcome;
  }

  std::unique_ptr<Runner> inner_;
  std::function<void(SubjectInfo&)> declare_;
  FindEntry find_entry_;
  SubjectInfo declared_;
  std::vector<Case> waiting_;
  CallMode mode_;
};

}  // namespace

std::unique_ptr<Runner> related_runner(std::unique_ptr<Runner> inner,
                                       std::function<void(SubjectInfo&)> declare, FindEntry find_entry) {
  return std::make_unique<RelatedRunner>(std::move(inner), std::move(declare), std::move(find_entry));
}

}  // namespace deformdiff
