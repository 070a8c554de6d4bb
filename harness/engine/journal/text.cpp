#include "engine/journal/text.h"

#include "core/error.h"

#include <cmath>
#include <limits>
#include <utility>

namespace deformdiff {
namespace {

/// JSON has no infinity.
Json number_json(double value) {
  return std::isfinite(value) ? Json(value) : Json(value > 0 ? "inf" : value < 0 ? "-inf" : "nan");
}

double number_from(const Json& json) {
  if (json.is_number()) return json.get<double>();
  const auto& text = json.get_ref<const std::string&>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  return text == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

/// Bins that hold none are left out.
Json ratios_json(const RatioHistogram& ratios) {
  Json bins = Json::object();
  for (std::size_t bin = 0; bin < ratios.counts().size(); ++bin) {
    if (ratios.counts()[bin] > 0) bins[std::to_string(bin)] = ratios.counts()[bin];
  }
  return {{"max", number_json(ratios.max())}, {"bins", std::move(bins)}};
}

RatioHistogram ratios_from(const Json& json) {
  RatioHistogram::Counts counts{};
  for (const auto& [bin, count] : json.at("bins").items()) counts.at(std::stoul(bin)) = count;
  return RatioHistogram(counts, number_from(json.at("max")));
}

Json split_json(const TimeSplit& split) {
  return {split.generate, split.transport, split.run, split.oracle, split.compare};
}

TimeSplit split_from(const Json& json) {
  return {json.at(0), json.at(1), json.at(2), json.at(3), json.at(4)};
}

Json places_json(const ErrorPlaces& places) {
  Json json = Json::object();
  for (const auto& [grid, counts] : places) {
    json[grid] = {counts.rows, counts.columns, counts.wrong, counts.drawn};
  }
  return json;
}

ErrorPlaces places_from(const Json& json) {
  ErrorPlaces places;
  for (const auto& [grid, counts] : json.items()) {
    places[grid] = {counts.at(0), counts.at(1), counts.at(2).get<std::vector<std::int64_t>>(),
                    counts.at(3).get<std::vector<std::int64_t>>()};
  }
  return places;
}

Json worst_json(const WrongElement& worst) {
  return {{"output", worst.output},
          {"shape", worst.shape},
          {"element", worst.element},
          {"got", number_json(worst.got)},
          {"wanted", number_json(worst.wanted)},
          {"bound", number_json(worst.bound)},
          {"wrong", worst.wrong}};
}

WrongElement worst_from(const Json& json) {
  return {json.at("output"),
          json.at("shape").get<Shape>(),
          json.at("element"),
          number_from(json.at("got")),
          number_from(json.at("wanted")),
          number_from(json.at("bound")),
          json.at("wrong").get<std::vector<std::int64_t>>()};
}

Json guided_json(const GuidedStream& guided) {
  return {{"block", guided.block},    {"cases", guided.cases}, {"judged", guided.judged},
          {"found", guided.found},    {"pairs", guided.pairs}, {"climbs", guided.climbs},
          {"seconds", guided.seconds}};
}

GuidedStream guided_from(const Json& json) {
  return {json.at("block"), json.at("cases"),  json.at("judged"), json.at("found"),
          json.at("pairs"), json.at("climbs"), json.at("seconds")};
}

Verdict verdict_from(const std::string& name) {
  const auto verdict = verdict_from_name(name);
  if (!verdict) throw InputError("journal: there is no verdict '" + name + "'");
  return *verdict;
}

}  // namespace

Json json_of(const Signature& s) {
  return {{"block", s.block},
          {"subject", s.subject},
          {"rule", s.rule},
          {"output", s.output},
          {"class", s.element_class}};
}

Signature signature_from(const Json& json) {
  return {json.at("block"), json.at("subject"), json.at("rule"), json.at("output"), json.at("class")};
}

Json json_of(const NumberKinds& kinds) {
  Json list = Json::array();
  for (const NumberKind kind : kinds) list.push_back(static_cast<int>(kind));
  return list;
}

NumberKinds kinds_from(const Json& json) {
  NumberKinds kinds;
  for (const int kind : json) kinds.insert(static_cast<NumberKind>(kind));
  return kinds;
}

Json json_of(const RunRecord& run) {
  return {{"id", run.id},
          {"seed", run.stream.seed},
          {"tiers", run.stream.tiers},
          {"only", run.stream.only},
          {"shard", {run.shard.index, run.shard.count}},
          {"host", run.host},
          {"started", run.started},
          {"command_line", run.command_line},
          {"required", run.required},
          {"version", run.version},
          {"environment", run.environment},
          {"seconds", run.seconds},
          {"finished", run.finished}};
}

RunRecord run_from(const Json& json) {
  RunRecord run;
  run.id = json.at("id");
  run.stream = {json.at("seed"), json.at("tiers"), json.at("only")};
  run.shard = {json.at("shard").at(0), json.at("shard").at(1)};
  run.host = json.at("host");
  run.started = json.at("started");
  run.command_line = json.at("command_line").get<std::vector<std::string>>();
  run.required = json.at("required").get<std::vector<std::string>>();
  run.version = json.at("version");
  run.environment = json.at("environment").get<std::map<std::string, std::string>>();
  run.seconds = json.at("seconds");
  run.finished = json.at("finished");
  return run;
}

Json json_of(const BlockRecord& block) {
  return {{"fingerprint", block.fingerprint}, {"cases", block.cases},
          {"siblings", block.siblings},       {"seconds", block.seconds},
          {"finished", block.finished},       {"guided", guided_json(block.guided)}};
}

BlockRecord block_from(const Json& json) {
  return {json.at("fingerprint"), json.at("cases"),    json.at("siblings"),
          json.at("seconds"),     json.at("finished"), guided_from(json.at("guided"))};
}

Json json_of(const SubjectRecord& subject) {
  const SubjectInfo& info = subject.info;
  return {{"name", info.name},
          {"device", info.device},
          {"blocks", info.blocks},
          {"supports", info.supports},
          {"not_run", info.not_run},
          {"faulty", info.faulty},
          {"trigger", info.trigger},
          {"expected", info.expected},
          {"stopped", subject.stopped},
          {"hangs", subject.hangs},
          {"lost_workers", subject.lost_workers},
          {"workers", subject.workers}};
}

SubjectRecord subject_from(const Json& json) {
  SubjectRecord subject;
  subject.info.name = json.at("name");
  subject.info.device = json.at("device");
  subject.info.blocks = json.at("blocks").get<std::set<std::string>>();
  subject.info.supports = json.at("supports");
  subject.info.not_run = json.at("not_run");
  subject.info.faulty = json.at("faulty");
  subject.info.trigger = json.at("trigger");
  subject.info.expected = json.at("expected");
  subject.stopped = json.at("stopped");
  subject.hangs = json.at("hangs");
  subject.lost_workers = json.at("lost_workers");
  subject.workers = json.at("workers");
  return subject;
}

Json json_of(const CountedCases& counted) {
  const SubjectReport& counts = counted.counts;
  Json json{{"cases", counts.cases}, {"verdicts", Json::object()}, {"run_seconds", counts.run_seconds}};
  for (const auto& [verdict, cases] : counts.verdicts) {
    json["verdicts"][std::string(name_of(verdict))] = cases;
  }
  json["ratios"] = ratios_json(counts.ratios);
  if (!counts.not_judged.empty()) json["not_judged"] = counts.not_judged;
  if (counts.estimated > 0) json["estimated"] = counts.estimated;
  for (const auto& [name, relation] : counts.relations) {
    json["relations"][name] = {relation.judged, relation.not_applicable};
  }
  if (!counts.places.empty()) json["places"] = places_json(counts.places);
  for (const Retry& retry : counts.retries) {
    json["retries"].push_back({retry.index, retry.lost_worker, name_of(retry.verdict)});
  }
  if (counts.first_finding_case) json["first_finding_case"] = *counts.first_finding_case;
  if (!counted.failures.empty()) json["failures"] = counted.failures;
  return json;
}

CountedCases counted_from(const Json& json) {
  CountedCases counted;
  SubjectReport& counts = counted.counts;
  counts.cases = json.at("cases");
  for (const auto& [name, cases] : json.at("verdicts").items()) counts.verdicts[verdict_from(name)] = cases;
  counts.run_seconds = json.at("run_seconds");
  counts.ratios = ratios_from(json.at("ratios"));
  if (json.contains("not_judged")) {
    counts.not_judged = json["not_judged"].get<std::map<std::string, std::int64_t>>();
  }
  if (json.contains("estimated")) counts.estimated = json["estimated"];
  if (json.contains("relations")) {
    for (const auto& [name, relation] : json["relations"].items()) {
      counts.relations[name] = {relation.at(0), relation.at(1)};
    }
  }
  if (json.contains("places")) counts.places = places_from(json["places"]);
  if (json.contains("retries")) {
    for (const Json& retry : json["retries"]) {
      counts.retries.push_back({retry.at(0), retry.at(1), verdict_from(retry.at(2))});
    }
  }
  if (json.contains("first_finding_case")) {
    counts.first_finding_case = json["first_finding_case"].get<std::uint64_t>();
  }
  if (json.contains("failures")) {
    counted.failures = json["failures"].get<std::map<std::string, std::int64_t>>();
  }
  return counted;
}

Json json_of(const DrawnCases& drawn) {
  return {{"triggers", drawn.triggers}, {"split", split_json(drawn.split)}};
}

DrawnCases drawn_from(const Json& json) {
  DrawnCases drawn;
  drawn.triggers = json.at("triggers").get<std::map<std::string, std::int64_t>>();
  drawn.split = split_from(json.at("split"));
  return drawn;
}

Json json_of(const Canary& canary) {
  return {{"name", canary.name},     {"trigger", canary.trigger}, {"expected", canary.expected},
          {"enough", canary.enough}, {"judged", canary.judged},   {"reached", canary.reached},
          {"found", canary.found},   {"verdict", canary.verdict}, {"seconds", canary.seconds}};
}

Canary canary_from(const Json& json) {
  Canary canary;
  canary.name = json.at("name");
  canary.trigger = json.at("trigger");
  canary.expected = json.at("expected");
  canary.enough = json.at("enough");
  canary.judged = json.at("judged");
  canary.reached = json.at("reached");
  canary.found = json.at("found");
  canary.verdict = json.at("verdict");
  canary.seconds = json.at("seconds");
  return canary;
}

namespace {

Json json_of(const FindingKey& key) {
  Json json{{"signature", json_of(key.signature)},
            {"declaration", key.excuse.declaration},
            {"left_out", key.excuse.left_out}};
  if (key.needs) json["needs"] = json_of(*key.needs);
  return json;
}

FindingKey key_from(const Json& json) {
  FindingKey key{signature_from(json.at("signature")), {json.at("declaration"), json.at("left_out")}, {}};
  if (json.contains("needs")) key.needs = kinds_from(json["needs"]);
  return key;
}

/// Counts are left out.
Json leads_json(const std::vector<KeyAndLead>& leads) {
  Json list = Json::array();
  for (const auto& [key, lead] : leads) {
    Json json{{"key", json_of(key)}, {"index", lead.origin.index}, {"met_as", lead.origin.met_as}};
    if (lead.first_case) json["first_case"] = *lead.first_case;
    list.push_back(std::move(json));
  }
  return list;
}

std::vector<KeyAndLead> leads_from(const Json& list) {
  std::vector<KeyAndLead> leads;
  for (const Json& json : list) {
    Lead lead{{json.at("index"), json.at("met_as")}, 0, {}};
    if (json.contains("first_case")) lead.first_case = json["first_case"].get<std::uint64_t>();
    leads.push_back({key_from(json.at("key")), lead});
  }
  return leads;
}

}  // namespace

Json json_of(const FindingRecord& record) {
  const Finding& finding = record.finding;
  Json json{{"signature", json_of(finding.signature)},
            {"group", finding.group},
            {"excused_by", finding.excused_by},
            {"left_out", finding.left_out},
            {"decade", finding.decade},
            {"first_case", finding.first_case},
            {"cases", finding.cases},
            {"triggers", finding.triggers},
            {"case", finding.case_path.filename().string()},
            {"not_saved", finding.not_saved},
            {"original_elements", finding.original_elements},
            {"shrunk_elements", finding.shrunk_elements},
            {"evaluations", finding.evaluations},
            {"certificate_evaluations", finding.certificate_evaluations},
            {"minimal", finding.minimal},
            {"one_line", finding.one_line},
            {"earlier_calls", finding.earlier_calls},
            {"reproduction_rate", finding.reproduction_rate},
            {"reproduction_runs", finding.reproduction_runs},
            {"other_bits", finding.other_bits},
            {"leads", leads_json(record.leads)}};
  if (finding.worst) json["worst"] = worst_json(*finding.worst);
  if (finding.smallest) json["needs"] = json_of(finding.smallest->needs);
  return json;
}

FindingRecord finding_from(const Json& json) {
  FindingRecord record;
  Finding& finding = record.finding;
  finding.signature = signature_from(json.at("signature"));
  finding.group = json.at("group");
  finding.excused_by = json.at("excused_by");
  finding.left_out = json.at("left_out");
  finding.decade = json.at("decade");
  finding.first_case = json.at("first_case");
  finding.cases = json.at("cases").get<std::vector<std::uint64_t>>();
  finding.triggers = json.at("triggers").get<std::map<std::string, std::int64_t>>();
  finding.case_path = json.at("case").get<std::string>();
  finding.not_saved = json.at("not_saved");
  finding.original_elements = json.at("original_elements");
  finding.shrunk_elements = json.at("shrunk_elements");
  finding.evaluations = json.at("evaluations");
  finding.certificate_evaluations = json.at("certificate_evaluations");
  finding.minimal = json.at("minimal");
  finding.one_line = json.at("one_line");
  finding.earlier_calls = json.at("earlier_calls");
  finding.reproduction_rate = json.at("reproduction_rate");
  finding.reproduction_runs = json.at("reproduction_runs");
  finding.other_bits = json.at("other_bits");
  if (json.contains("worst")) finding.worst = worst_from(json["worst"]);
  if (json.contains("needs")) finding.smallest = FailingCase{{}, kinds_from(json["needs"])};
  record.leads = leads_from(json.at("leads"));
  return record;
}

}  // namespace deformdiff
