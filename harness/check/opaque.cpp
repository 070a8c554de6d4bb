#include "check/opaque.h"

#include "check/cause.h"
#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "core/strict_json.h"
#include "engine/compare.h"
#include "engine/estimate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// --FLAG, or the list of the file's metadata, or nothing.
std::vector<std::string> order_of(const std::vector<std::string>& typed, const SafetensorsFile& file,
                                  const std::string& key) {
  if (!typed.empty()) return typed;
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) return {};
  std::vector<std::string> order;
  for (const Json& each : parse_strict_json(found->second, "metadata '" + key + "'")) {
    if (!each.is_string()) throw InputError(fmt::format("metadata '{}': a list of names wanted", key));
    order.push_back(each.get<std::string>());
  }
  return order;
}

std::vector<NamedTensor> inputs_of(const CheckRequest& request, const SafetensorsFile& file,
                                   const ModuleDescription& description) {
  std::vector<std::string> order = order_of(request.input_order, file, "inputs");
  if (order.empty()) {
    for (const ModuleInput& input : description.inputs) order.push_back(input.name);
  }
  if (order.size() != description.inputs.size()) {
    throw InputError(fmt::format("{} inputs are named, the module takes {}: give --input-order", order.size(),
                                 description.inputs.size()));
  }
  std::vector<NamedTensor> inputs;
  for (const std::string& name : order) {
    const Tensor* tensor = file.find("in." + name);
    if (tensor == nullptr) tensor = file.find(name);
    if (tensor == nullptr)
      throw InputError(fmt::format("required tensor 'in.{}' is missing: --input-order says which", name));
    inputs.push_back({name, *tensor});
  }
  return inputs;
}

/// Recorded float64 outputs, in the module's order; empty if there are none.
std::vector<NamedTensor> recorded_reference(const CheckRequest& request, const SafetensorsFile& file) {
  std::vector<NamedTensor> outputs;
  for (const std::string& name : order_of(request.output_order, file, "outputs")) {
    const Tensor* tensor = file.find("out.f64." + name);
    if (tensor == nullptr || tensor->dtype() != DType::kFloat64) return {};
    outputs.push_back({fmt::format("output.{}", outputs.size()), *tensor});
  }
  return outputs;
}

/// The neighbour of a number, or itself, at random. Numbers of one sign are ordered as their bits are.
template <typename Bits>
Bits moved(Bits bits, std::uint64_t way) {
  constexpr Bits kMagnitude = static_cast<Bits>(~Bits{0}) >> 1;
  if (way == 1 && (bits & kMagnitude) != 0) return static_cast<Bits>(bits - 1);
  return way == 2 ? static_cast<Bits>(bits + 1) : bits;
}

template <typename Bits>
Tensor moved(const Tensor& tensor, const CounterRandom& random) {
  const auto storage = tensor.storage();
  Tensor::Bytes bytes(storage.begin(), storage.end());
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(Bits)) {
    Bits bits;
    std::memcpy(&bits, bytes.data() + at, sizeof bits);
    bits = moved(bits, random.below(at, 3));
    std::memcpy(bytes.data() + at, &bits, sizeof bits);
  }
  return Tensor(tensor.dtype(), tensor.shape(), std::move(bytes));
}

/// Every finite floating element moved by at most one unit in the last place of its own dtype.
std::vector<NamedTensor> moved(std::vector<NamedTensor> inputs, const CounterRandom& random) {
  std::uint64_t stream = 0;
  for (NamedTensor& input : inputs) {
    const Tensor dense = input.tensor.contiguous();
    if (!is_floating(dense.dtype())) continue;
    const CounterRandom own = random.stream(stream++);
    const std::size_t size = size_of(dense.dtype());
    input.tensor = size == 8   ? moved<std::uint64_t>(dense, own)
                   : size == 4 ? moved<std::uint32_t>(dense, own)
                               : moved<std::uint16_t>(dense, own);
  }
  return inputs;
}

class OpaqueCheck {
 public:
  OpaqueCheck(const CheckRequest& request, ExportedModule& module, RunReport& report)
      : request_(request), module_(module), report_(report) {}

  void check_file(const std::filesystem::path& path, SubjectReport& subject) {
    const SafetensorsFile file = read_safetensors(path);
    const std::vector<NamedTensor> inputs = inputs_of(request_, file, module_.description());
    std::vector<NamedTensor> exact = recorded_reference(request_, file);
    const bool recorded = !exact.empty();
    if (!recorded) exact = own_reference(inputs);
    if (exact.empty()) {
      Reference nothing;
      nothing.vacuous = no_output_;
      for (const char* mode : module_.modes()) judge(path, mode, inputs, nothing, subject);
      return;
    }
    report_.advice.push_back(
        fmt::format("{}: judged against {}, with a tolerance estimated from {} runs on inputs moved by one "
                    "unit in the last place.",
                    path.filename().string(),
                    recorded ? "the recorded float64 outputs"
                             : "the module's own graph in float64, which "
                               "cannot show what the export has lost",
                    kDraws + 1));
    const Reference reference = widened(inputs, exact);
    for (const char* mode : module_.modes()) judge(path, mode, inputs, reference, subject);
  }

 private:
  /// Of the outputs that can be compared; what came instead of the others is said.
  std::vector<NamedTensor> own_reference(const std::vector<NamedTensor>& inputs) {
    const Outcome outcome = module_.run(module_mode::kFloat64, inputs, false);
    if (outcome.kind != Outcome::Kind::kReturned) {
      throw InputError(
          fmt::format("the graph cannot be evaluated in float64 ({}): give recorded float64 outputs "
                      "('out.f64.NAME') in --inputs",
                      outcome.message));
    }
    no_output_ = fmt::format("nothing to compare: {}",
                             outcome.message.empty() ? fmt::format("forward returned {} without a tensor",
                                                                   module_.description().returns)
                                                     : outcome.message);
    if (!outcome.outputs.empty() && !outcome.message.empty()) {
      report_.warnings.push_back(fmt::format("not compared: {}", outcome.message));
    }
    return outcome.outputs;
  }

  /// Middle: the exact outputs. Width: Student's t times the spread of the moved runs about their mean, half
  /// the element's own and half the output's, and the rounding of the result. What is not finite has no
  /// width; what is finite, but not in a moved run, may be anything.
  Reference widened(const std::vector<NamedTensor>& inputs, const std::vector<NamedTensor>& exact) {
    if (std::ranges::none_of(inputs,
                             [](const NamedTensor& input) { return is_floating(input.tensor.dtype()); })) {
      throw InputError(
          "no input is floating: there is nothing to move by a unit in the last place, and no "
          "tolerance can be estimated");
    }
    // One run more than degrees of freedom: the mean takes one.
    std::vector<Outcome> runs;
    for (std::size_t k = 0; k <= kDraws; ++k) {
      runs.push_back(module_.run(module_mode::kInterpreter, moved(inputs, CounterRandom(k)), false));
    }
    Reference reference;
    std::string vacuous;
    bool telling = false;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      Reference one;
      one.outputs.push_back(widened(i, exact[i], runs));
      count_telling(one);
      telling = telling || one.vacuous.empty();
      if (vacuous.empty()) vacuous = one.vacuous;
      reference.outputs.push_back(std::move(one.outputs.front()));
    }
    if (!telling) reference.vacuous = vacuous;
    return reference;
  }

  /// What the runs returned there; those that returned something else are left out.
  static std::vector<Tensor> values_of(std::size_t index, const Tensor& exact,
                                       const std::vector<Outcome>& runs) {
    std::vector<Tensor> values;
    for (const Outcome& run : runs) {
      if (index < run.outputs.size() && run.outputs[index].tensor.elements() == exact.elements()) {
        values.push_back(run.outputs[index].tensor);
      }
    }
    return values;
  }

  static OutputReference widened(std::size_t index, const NamedTensor& exact,
                                 const std::vector<Outcome>& runs) {
    const Tensor middle = exact.tensor.contiguous();
    const std::vector<Tensor> values = values_of(index, middle, runs);
    const auto count = static_cast<std::size_t>(middle.elements());
    OutputReference output;
    output.name = exact.name;
    output.shape = middle.shape();
    output.dtype = values.empty() ? middle.dtype() : values.front().dtype();
    std::vector<double> squares(count, 0.0);
    std::vector<bool> differs(count, false), unknown(count, false);
    double all = 0;
    const auto used = static_cast<double>(values.size());
    for (std::size_t i = 0; i < count; ++i) {
      const auto element = static_cast<std::int64_t>(i);
      double sum = 0, sum_of_squares = 0;
      if (!std::isfinite(middle.element(element))) continue;
      for (const Tensor& run : values) {
        const double away = run.element(element) - middle.element(element);
        unknown[i] = unknown[i] || !std::isfinite(away);
        sum += away;
        sum_of_squares += away * away;
        differs[i] = differs[i] || away != 0;
      }
      if (used > 1 && !unknown[i])
        squares[i] = std::max(0.0, (sum_of_squares - sum * sum / used) / (used - 1));
      all += squares[i];
    }
    const double mean = count > 0 ? all / static_cast<double>(count) : 0;
    const double factor = estimate_factor(static_cast<std::int64_t>(count));
    // What is no float is taken for one of float32.
    const double unit =
        float_format(is_floating(output.dtype) ? output.dtype : DType::kFloat32).unit_roundoff;
    for (std::size_t i = 0; i < count; ++i) {
      const double value = middle.element(static_cast<std::int64_t>(i));
      const bool free = output.dtype == DType::kBool && differs[i];
      output.value.push_back(free ? 0.5 : value);
      output.bound.push_back(free ? 0.5
                             : output.dtype == DType::kBool
                                 ? 0
                                 : factor * std::sqrt((squares[i] + mean) / 2) + unit * std::abs(value));
      output.admits.push_back(unknown[i] ? std::uint8_t{kAdmitsAnything} : kind_of(value));
    }
    return output;
  }

  void judge(const std::filesystem::path& path, const char* mode, const std::vector<NamedTensor>& inputs,
             const Reference& reference, SubjectReport& subject) {
    const Outcome outcome = module_.run(mode, inputs, false);
    Comparison comparison = compare(outcome, reference, {}, &subject.ratios);
    comparison.estimated = true;
    comparison.element_class = "interior";
    const std::string name = fmt::format("{}/{}", path.stem().string(), module_mode::short_name(mode));
    const bool found = is_finding(comparison.verdict);
    report_.scenarios.push_back(
        {name, "outputs", comparison.verdict, true, comparison.ratio, 0, comparison.reason});
    count(subject, comparison);
    if (!found) return;
    Finding finding;
    finding.signature = {kOpaqueBlock, subject.name, std::string(name_of(comparison.verdict)),
                         comparison.output, "interior"};
    finding.count = 1;
    finding.case_path = path;
    finding.not_saved = "of an opaque module there are no cases: its inputs are those of " + path.string();
    finding.one_line = fmt::format("{}: {}: {}", name, name_of(comparison.verdict), comparison.reason);
    report_.session.findings.push_back(std::move(finding));
    report_.cause = "unknown";
  }

  const CheckRequest& request_;
  ExportedModule& module_;
  RunReport& report_;
  std::string no_output_;  ///< why there may be nothing to compare
};

}  // namespace

void check_opaque(const CheckRequest& request, ExportedModule& module, RunReport& report) {
  if (!request.declared.settings.empty()) {
    throw InputError("--declare: the bounds of --block opaque are estimated, whatever the module declares");
  }
  if (request.inputs.empty()) {
    throw InputError(
        "--block opaque: nothing is known of the module's inputs: give --inputs FILE.safetensors");
  }
  report.audit = module.description().audit;
  SubjectReport& subject = report.session.subjects.emplace_back();
  subject.name = request.model.string();
  subject.block = kOpaqueBlock;
  OpaqueCheck check(request, module, report);
  for (const auto& path : request.inputs) {
    try {
      check.check_file(path, subject);
    } catch (const InputError& error) {
      throw InputError(about(path, error));
    }
  }
  if (report.cause.empty()) return;
  // There are no stages to tell, but the graph may.
  report.cause = cause_of_graph(module.description().audit);
  if (report.cause.empty()) report.cause = "unknown";
  std::ranges::move(advice_on(report.cause, ""), std::inserter(report.advice, report.advice.begin()));
}

}  // namespace deformdiff
