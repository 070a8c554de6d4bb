#include "reports/canaries.h"
#include "reports/run_report.h"
#include "reports/summary.h"

#include <cmath>

#include <nlohmann/json.hpp>

namespace deformdiff {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has no infinity; the largest double says the same to a program that compares.
double finite(double ratio) {
  return std::isfinite(ratio) ? ratio : std::numeric_limits<double>::max();
}

Json scenario_json(const Scenario& scenario) {
  Json json{{"name", scenario.name},
            {"stage", scenario.stage},
            {"verdict", name_of(scenario.verdict)},
            {"bound", scenario.estimated ? "estimated" : "rigorous"},
            {"ratio", finite(scenario.ratio)},
            {"inherited", finite(scenario.inherited)}};
  if (!scenario.reason.empty()) json["reason"] = scenario.reason;
  return json;
}

Json audit_json(const AuditFinding& finding) {
  return {
      {"kind", finding.kind}, {"detail", finding.detail}, {"line", finding.line}, {"scope", finding.scope}};
}

Json retry_json(const Retry& retry) {
  return {{"case", retry.index}, {"after", retry.lost_worker}, {"verdict", name_of(retry.verdict)}};
}

Json subject_json(const SubjectReport& subject) {
  Json json{{"name", subject.name}, {"block", subject.block}, {"cases", subject.cases}};
  json["verdicts"] = Json::object();
  for (const auto& [verdict, cases] : subject.verdicts) {
    if (cases > 0) json["verdicts"][std::string(name_of(verdict))] = cases;
  }
  json["not_judged"] = subject.not_judged;
  json["estimated"] = subject.estimated;
  for (const auto& [name, relation] : subject.relations) {
    json["relations"][name] = {{"judged", relation.judged}, {"not_applicable", relation.not_applicable}};
  }
  json["run_seconds"] = subject.run_seconds;
  json["ratio"] = {{"median", finite(subject.ratios.quantile(0.5))},
                   {"p99", finite(subject.ratios.quantile(0.99))},
                   {"max", finite(subject.ratios.max())}};
  if (subject.first_finding_case) json["first_finding_case"] = *subject.first_finding_case;
  json["retried"] = Json::array();
  for (const Retry& retry : subject.retries) json["retried"].push_back(retry_json(retry));
  if (subject.workers) json["workers"] = *subject.workers;
  return json;
}

/// JSON has no NaN either, and infinities are told apart from large numbers here.
Json number_json(double number) {
  if (std::isfinite(number)) return number;
  return std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
}

Json wrong_element_json(const WrongElement& worst) {
  return {{"output", worst.output},
          {"shape", worst.shape},
          {"element", worst.element},
          {"got", number_json(worst.got)},
          {"wanted", number_json(worst.wanted)},
          {"bound", number_json(worst.bound)}};
}

Json finding_json(const Finding& finding) {
  const Signature& s = finding.signature;
  Json json{{"signature",
             {{"block", s.block},
              {"subject", s.subject},
              {"rule", s.rule},
              {"output", s.output},
              {"class", s.element_class}}},
            {"decade", finding.decade},
            {"count", finding.count},
            {"first_case", finding.first_case},
            {"case", finding.case_path.string()},
            {"original_elements", finding.original_elements},
            {"shrunk_elements", finding.shrunk_elements},
            {"evaluations", finding.evaluations},
            {"certificate_evaluations", finding.certificate_evaluations},
            {"minimal", finding.minimal},
            {"earlier_calls", finding.earlier_calls},
            {"reproduction_rate", finding.reproduction_rate},
            {"reproduction_runs", finding.reproduction_runs},
            {"other_bits", finding.other_bits},
            {"excused_by", finding.excused_by},
            {"status", name_of(finding.status)},
            {"one_line", finding.one_line}};
  if (!finding.group.empty()) json["group"] = finding.group;
  if (finding.worst) json["worst"] = wrong_element_json(*finding.worst);
  if (finding.smallest) json["needs"] = text_of(finding.smallest->needs);
  if (!finding.kept_case.empty()) json["kept_case"] = finding.kept_case.string();
  if (!finding.not_saved.empty()) json["not_saved"] = finding.not_saved;
  return json;
}

Json replayed_json(const ReplayedCase& replayed) {
  Json json{{"case", replayed.path},       {"block", replayed.block},
            {"subject", replayed.subject}, {"verdict", name_of(replayed.verdict)},
            {"outcome", replayed.outcome}, {"seconds", replayed.seconds}};
  if (!replayed.reason.empty()) json["reason"] = replayed.reason;
  return json;
}

Json guided_json(const GuidedStream& guided) {
  return {{"block", guided.block},    {"cases", guided.cases}, {"judged", guided.judged},
          {"found", guided.found},    {"pairs", guided.pairs}, {"climbs", guided.climbs},
          {"seconds", guided.seconds}};
}

Json canary_json(const Canary& canary) {
  Json json{{"name", canary.name},           {"block", canary.block},
            {"trigger", canary.trigger},     {"expected", canary.expected},
            {"got", canary.got()},           {"cases", canary.cases.size()},
            {"judged", canary.judged},       {"reached", canary.reached},
            {"found", canary.found},         {"as_expected", canary.got_what_is_due()},
            {"survived", canary.survived()}, {"seconds", canary.seconds}};
  if (const auto first = canary.first_case()) json["first_case"] = *first;
  return json;
}

void add_canaries(const SessionReport& session, Json& json) {
  json["canaries"] = Json::array();
  for (const Canary& each : session.canaries) json["canaries"].push_back(canary_json(each));
  json["detection_power"] = Json::object();
  for (const DetectionPower& power : detection_power(session.canaries)) {
    json["detection_power"][power.expected] = {
        {"found", power.found}, {"survived", power.survived}, {"open", power.open}};
  }
  const FalseAlarms alarms = false_alarms(session);
  json["false_alarms"] = {{"cases", alarms.cases}, {"alarms", alarms.alarms}, {"limit_95", alarms.limit}};
}

}  // namespace

std::string json_report(const RunReport& report) {
  const SessionReport& session = report.session;
  Json json{{"deformdiff", DEFORMDIFF_VERSION}, {"command", report.command}, {"seed", report.seed}};
  if (!report.only.empty()) json["only"] = report.only;
  json["environment"] = session.environment;
  json["exit_code"] = report.exit_code;
  json["seconds"] = session.seconds;
  json["subjects"] = Json::array();
  for (const SubjectReport& subject : session.subjects) json["subjects"].push_back(subject_json(subject));
  json["triggers"] = session.triggers;
  json["findings"] = Json::array();
  for (const Finding& finding : session.findings) json["findings"].push_back(finding_json(finding));
  for (const GuidedStream& guided : session.guided) json["guided"].push_back(guided_json(guided));
  json["split"] = {{"generate", session.split.generate},
                   {"transport", session.split.transport},
                   {"run", session.split.run},
                   {"oracle", session.split.oracle},
                   {"compare", session.split.compare}};
  if (report.command == "fuzz") {
    json["never_reached"] = Json::array();
    for (const TriggerClass& each : never_reached(report)) json["never_reached"].push_back(each.name);
  }
  if (report.command == "replay") {
    json["replayed"] = Json::array();
    for (const ReplayedCase& each : report.replayed) json["replayed"].push_back(replayed_json(each));
  }
  if (report.command == "selftest" || !session.canaries.empty()) add_canaries(session, json);
  if (report.command == "check" || !report.scenarios.empty()) {
    json["scenarios"] = Json::array();
    for (const Scenario& scenario : report.scenarios) json["scenarios"].push_back(scenario_json(scenario));
    json["first_diverging_stage"] = report.first_diverging_stage;
  }
  if (report.command == "check") {
    json["audit"] = Json::array();
    for (const AuditFinding& finding : report.audit) json["audit"].push_back(audit_json(finding));
    json["cause"] = report.cause;
    json["advice"] = report.advice;
  }
  if (!report.ignored.empty()) json["ignored"] = report.ignored;
  if (!report.read_as_int64.empty()) json["read_as_int64"] = report.read_as_int64;
  if (!report.warnings.empty()) json["warnings"] = report.warnings;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace deformdiff
