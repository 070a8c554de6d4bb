#include "check/module_subject.h"

#include "blocks/layouts/inference.h"
#include "catalog/address_text.h"
#include "catalog/catalog.h"
#include "catalog/external_workers.h"
#include "check/module_run.h"
#include "core/comma_list.h"
#include "core/error.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

std::string attributes_text(const Attributes& attributes) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : attributes) parts.push_back(fmt::format("{}:{}", name, value));
  return fmt::format("{}", fmt::join(parts, ","));
}

Attributes parse_attributes(const std::string& text) {
  Attributes attributes;
  for (const std::string& part : split_at_commas(text)) {
    const std::size_t colon = std::min(part.find(':'), part.size());
    const std::string_view number = std::string_view(part).substr(std::min(colon + 1, part.size()));
    double value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || end != number.data() + number.size()) {
      throw InputError(fmt::format("attributes: '{}': NAME:NUMBER wanted", part));
    }
    attributes[part.substr(0, colon)] = value;
  }
  return attributes;
}

class ModuleRunner : public Runner {
 public:
  ModuleRunner(CheckRequest request, std::string mode, const std::vector<std::string>& prefix)
      : request_(std::move(request)),
        mode_(std::move(mode)),
        module_(request_.model, request_.limits, prefix) {}

  SubjectInfo info(Outcome& failure) override {
    failure = module_.load_failure();
    if (failure.kind != Outcome::Kind::kNotRun) return {};
    model_.emplace(request_, find_block(request_.block), module_.description());
    info_ = module_.info();
    info_.blocks = {request_.block};
    apply(request_.declared, info_);
    return info_;
  }

  const std::map<std::string, std::string>& environment() const override { return module_.environment(); }

  void start(std::span<const Case> cases, CallMode) override {
    outcomes_.clear();
    std::ranges::transform(cases, std::back_inserter(outcomes_), [this](const Case& c) { return call(c); });
  }

  std::vector<Outcome> finish() override { return std::move(outcomes_); }
  void restart() override { module_.restart(); }
  std::int64_t workers_started() const override { return module_.workers_started(); }

 private:
  Outcome call(const Case& c) {
    if (!model_) return module_.load_failure();
    if (const std::string why = not_its_own(c); !why.empty())
      return outcome_of(Outcome::Kind::kUnsupported, why);
    std::string refusal;
    Outcome graph = run_graph(module_, *model_, c, info_, request_.threads, refusal);
    return mode_ == module_mode::kInterpreter ? graph : run_mode(module_, *model_, c, mode_, graph);
  }

  /// What the module holds itself, and cannot be given otherwise.
  std::string not_its_own(const Case& c) const {
    if (c.attributes != model_->attributes()) return "other attributes than the module's";
    for (const NamedTensor& parameter : model_->parameters()) {
      const Tensor* given = c.find_input(parameter.name);
      if (given == nullptr || *given != parameter.tensor)
        return fmt::format("another {} than the module's", parameter.name);
    }
    const std::set<std::string> taken = model_->input_set();
    std::vector<NamedTensor> inputs = c.inputs;
    std::erase_if(inputs, [&](const NamedTensor& input) {
      return !is_parameter(input.name) && !taken.contains(input.name);
    });
    for (const std::string& name : taken) {
      if (find_tensor(inputs, name) == nullptr) return fmt::format("the module takes {}", name);
    }
    derive_inputs(model_->block(), inputs);
    for (const NamedTensor& input : inputs) {
      const Tensor* given = c.find_input(input.name);
      if (given == nullptr || *given != input.tensor)
        return fmt::format("another {} than the module makes", input.name);
    }
    return "";
  }

  CheckRequest request_;
  std::string mode_;
  ExportedModule module_;
  std::optional<CheckedModel> model_;
  SubjectInfo info_;
  std::vector<Outcome> outcomes_;
};

CheckRequest request_of(const Address& address, int threads) {
  CheckRequest request;
  request.model = address.file;
  request.declared = address.declared;
  request.threads = threads;
  const auto take = [&](const char* key, const auto& use) {
    if (const auto found = address.settings.find(key); found != address.settings.end()) use(found->second);
  };
  take("block", [&](const std::string& name) { request.block = find_block(name).block->name(); });
  take("layout", [&](const std::string& name) { request.options.layout = name; });
  take("attributes", [&](const std::string& text) { request.attributes = parse_attributes(text); });
  take("params", [&](const std::string& path) { request.parameters = path; });
  take("input_order", [&](const std::string& names) { request.input_order = split_at_commas(names); });
  take("output_order", [&](const std::string& names) { request.output_order = split_at_commas(names); });
  if (request.block.empty()) throw InputError("block=BLOCK is wanted");
  return request;
}

std::string mode_of(const Address& address) {
  const auto named = address.settings.find("mode");
  if (named == address.settings.end()) return module_mode::kInterpreter;
  const auto mode = std::ranges::find(module_mode::kAll, named->second, module_mode::short_name);
  if (mode == module_mode::kAll.end()) {
    throw InputError(
        fmt::format("mode={}: interpreter, executor, frozen or inference wanted", named->second));
  }
  const bool of_torchscript = *mode == module_mode::kFrozen || *mode == module_mode::kInference;
  if (of_torchscript && is_python_module(address.file)) {
    throw InputError(fmt::format("mode={}: {} has no such mode: interpreter or executor wanted",
                                 named->second, address.file.string()));
  }
  return *mode;
}

}  // namespace

ModuleAddress parse_module_address(const std::string& typed, int threads) {
  const Address address =
      parse_address(typed, kModuleScheme,
                    {"block", "layout", "attributes", "params", "input_order", "output_order", "mode"});
  try {
    return {request_of(address, threads), mode_of(address)};
  } catch (const InputError& error) {
    throw InputError(fmt::format("subject '{}': {}", typed, error.what()));
  }
}

SubjectSpec module_subject(const std::string& typed, int threads) {
  const ModuleAddress address = parse_module_address(typed, threads);
  SubjectSpec spec;
  spec.one_run = address.mode == module_mode::kInterpreter;
  spec.make_runner = [=](const WorkerCommand& command, const RunLimits& limits) {
    CheckRequest limited = address.request;
    limited.limits = limits;
    return std::make_unique<ModuleRunner>(std::move(limited), address.mode, command.argv);
  };
  spec.name = typed;
  spec.library = address.request.model.string();
  return spec;
}

SavedCase module_finding(const CheckRequest& request, const CheckedModel& model, const std::string& mode,
                         const Finding& finding, const Case& c, const Comparison& comparison) {
  Address address;
  address.file = fs::absolute(request.model);
  address.settings = {{"block", model.block().name()},
                      {"layout", std::string(name_of(model.names().layout()))}};
  const auto set = [&](const char* key, const std::string& value) {
    if (!value.empty()) address.settings.emplace(key, value);
  };
  set("attributes", attributes_text(model.attributes()));
  if (!request.parameters.empty()) set("params", fs::absolute(request.parameters).string());
  set("input_order", fmt::format("{}", fmt::join(request.input_order, ",")));
  set("output_order", fmt::format("{}", fmt::join(request.output_order, ",")));
  if (mode != module_mode::kInterpreter) set("mode", std::string(module_mode::short_name(mode)));
  address.declared = request.declared;
  Subject subject;
  subject.spec = module_subject(address_text(kModuleScheme, address), request.threads);
  SavedCase saved = saved_case(subject, finding.signature, c, {}, comparison);
  saved.note = finding.one_line;
  return saved;
}

}  // namespace deformdiff
