#include "reports/run_report.h"
#include "reports/summary.h"
#include "reports/tally.h"
#include "reports/valid_text.h"

#include <map>
#include <pugixml.hpp>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

void set(pugi::xml_node node, const char* name, const std::string& value) {
  node.append_attribute(name) = valid_text(value).c_str();
}

void set(pugi::xml_node node, const char* name, std::int64_t value) {
  node.append_attribute(name) = static_cast<long long>(value);
}

void add_text(pugi::xml_node parent, const char* element, const std::string& text) {
  parent.append_child(element).text() = valid_text(text).c_str();
}

/// A test suite that counts what it is given.
class Suite {
 public:
  Suite(pugi::xml_node suites, const std::string& name) : node_(suites.append_child("testsuite")) {
    set(node_, "name", name);
  }

  pugi::xml_node add_case(const std::string& class_name, const std::string& name, double seconds) {
    ++tests_;
    seconds_ += seconds;
    const pugi::xml_node node = node_.append_child("testcase");
    set(node, "classname", class_name);
    set(node, "name", name);
    set(node, "time", fmt::format("{:.3f}", seconds));
    return node;
  }

  void fail(pugi::xml_node test, std::string_view rule, const std::string& line, const std::string& text) {
    ++failures_;
    pugi::xml_node failure = test.append_child("failure");
    set(failure, "type", std::string(rule));
    set(failure, "message", line);
    failure.text() = valid_text(text).c_str();
  }

  void skip(pugi::xml_node test, const std::string& reason) {
    ++skipped_;
    set(test.append_child("skipped"), "message", reason);
  }

  std::int64_t failures() const { return failures_; }
  std::int64_t tests() const { return tests_; }

  void finish() {
    set(node_, "tests", tests_);
    set(node_, "failures", failures_);
    set(node_, "errors", std::int64_t{0});
    set(node_, "skipped", skipped_);
    set(node_, "time", fmt::format("{:.3f}", seconds_));
  }

 private:
  pugi::xml_node node_;
  std::int64_t tests_ = 0, failures_ = 0, skipped_ = 0;
  double seconds_ = 0;
};

/// Suites by name, in the order in which they were begun, below the document's root.
class Suites {
 public:
  explicit Suites(pugi::xml_node root) : root_(root) {}

  Suite& of(const std::string& name) { return suites_.try_emplace(name, root_, name).first->second; }

  void finish() {
    std::int64_t tests = 0, failures = 0;
    for (auto& [name, suite] : suites_) {
      suite.finish();
      tests += suite.tests();
      failures += suite.failures();
    }
    set(root_, "name", std::string("deformdiff"));
    set(root_, "tests", tests);
    set(root_, "failures", failures);
  }

 private:
  pugi::xml_node root_;
  std::map<std::string, Suite> suites_;
};

std::string class_of(const std::string& block) {
  return "deformdiff." + block;
}

std::string counts_text(const SubjectReport& subject) {
  const Tally tally = tally_of(subject);
  std::string text = fmt::format("{}: {} agree, {} found, {} not judged; largest error/bound {}\n",
                                 counted(subject.cases, "case"), tally.agree, tally.found, tally.not_judged,
                                 ratio_text(subject.ratios));
  for (const auto& [reason, cases] : subject.not_judged) text += fmt::format("  {} {}\n", cases, reason);
  return text;
}

std::string reasons_text(const SubjectReport& subject) {
  std::vector<std::string> reasons;
  for (const auto& [reason, cases] : subject.not_judged) reasons.push_back(reason);
  return reasons.empty() ? "no case was drawn" : fmt::format("{}", fmt::join(reasons, "; "));
}

void add_implementation(const RunReport& report, const SubjectReport& subject, Suites& suites) {
  Suite& suite = suites.of(subject.block);
  const pugi::xml_node test = suite.add_case(class_of(subject.block), subject.name, subject.run_seconds);
  const Finding* first = nullptr;
  std::int64_t known = 0;
  std::string lines;
  for (const Finding& finding : report.session.findings) {
    if (finding.signature.subject != subject.name || finding.signature.block != subject.block) continue;
    if (finding.status == FindingStatus::kKnown && !report.known_fail) {
      ++known;
      continue;
    }
    if (first == nullptr) first = &finding;
    lines += fmt::format("{}\n  {}\n", finding.one_line,
                         finding.not_saved.empty() ? replay_command(finding) : finding.not_saved);
  }
  const Tally tally = tally_of(subject);
  if (first != nullptr) {
    suite.fail(test, first->signature.rule, first->one_line, lines);
  } else if (tally.found > 0 && known == 0) {
    suite.fail(test, "found", counted(tally.found, "failing case"), "");
  } else if (tally.agree == 0 && known == 0) {
    suite.skip(test, reasons_text(subject));
  }
  add_text(test, "system-out",
           counts_text(subject) + (known > 0 ? counted(known, "known finding") + "\n" : std::string()));
}

void add_verdict(Suite& suite, pugi::xml_node test, Verdict verdict, const std::string& reason,
                 const std::string& reproduce) {
  if (is_finding(verdict)) {
    suite.fail(test, name_of(verdict), reason, reproduce);
  } else if (verdict != Verdict::kAgree) {
    suite.skip(test, fmt::format("{}: {}", name_of(verdict), reason));
  }
}

/// A fault that is not found yet shows nothing.
void add_canary(const Canary& canary, Suites& suites) {
  Suite& suite = suites.of("canaries." + canary.block);
  const pugi::xml_node test = suite.add_case(class_of(canary.block), canary.name, canary.seconds);
  const auto cases = static_cast<std::int64_t>(canary.cases.size());
  if (canary.is_open()) {
    suite.skip(test, fmt::format("not found yet in {}", counted(cases, "case")));
  } else if (!canary.got_what_is_due()) {
    suite.fail(test, "canary",
               fmt::format("{} in {}, {} wanted", canary.got(), counted(cases, "case"), canary.expected), "");
  }
}

}  // namespace

std::string junit_report(const RunReport& report) {
  pugi::xml_document document;
  Suites suites(document.append_child("testsuites"));
  for (const ReplayedCase& each : report.replayed) {
    Suite& suite = suites.of("replay");
    const pugi::xml_node test =
        suite.add_case(class_of(each.block) + "." + each.subject, each.path, each.seconds);
    add_verdict(suite, test, each.verdict, each.reason, fmt::format("deformdiff replay {}", each.path));
  }
  if (report.replayed.empty()) {
    for (const SubjectReport& subject : report.session.subjects) add_implementation(report, subject, suites);
  }
  for (const Scenario& stage : report.scenarios) {
    Suite& suite = suites.of(stage.name);
    add_verdict(suite, suite.add_case("deformdiff.stages." + stage.name, stage.stage, 0), stage.verdict,
                stage.reason, report.cause.empty() ? "" : "cause: " + report.cause);
  }
  for (const Canary& canary : report.session.canaries) add_canary(canary, suites);
  suites.finish();
  std::ostringstream text;
  document.save(text, "  ");
  return text.str();
}

}  // namespace deformdiff
