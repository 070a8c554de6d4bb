#include "check/module_call.h"

#include "catalog/catalog.h"
#include "catalog/external_workers.h"
#include "check/checked_model.h"
#include "check/exported_module.h"
#include "check/module_subject.h"
#include "core/error.h"

#include <numeric>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// Found by rearranging each result's own positions.
ModuleResult result_of(const LayoutEntry& entry, const Tensor& theirs) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(theirs.elements()));
  std::iota(positions.begin(), positions.end(), 0);
  const Tensor ours = to_ours(entry, int64_tensor(theirs.shape(), positions), {}).contiguous();
  const auto places = ours.values<std::int64_t>();
  return {entry.ours, theirs.shape(), {places.begin(), places.end()}};
}

}  // namespace

ModuleCall module_call(const std::string& address, const Case& c, const RunLimits& limits, int threads) {
  const ModuleAddress parsed = parse_module_address(address, threads);
  if (is_python_module(parsed.request.model)) {
    throw InputError(
        fmt::format("{}: scripts are written for TorchScript files alone; replay shows what it does",
                    parsed.request.model.string()));
  }
  ExportedModule module(parsed.request.model, limits);
  const CheckedModel model(parsed.request, find_block(parsed.request.block), module.description());
  ModuleCall call{parsed.request.model, parsed.mode, model.arguments(c), {}};
  const Outcome outcome = module.run(parsed.mode, call.arguments, false);
  if (outcome.kind != Outcome::Kind::kReturned) return call;
  if (outcome.outputs.size() != model.outputs().size()) {
    throw InputError(
        fmt::format("{}: the module does not return the outputs of block {}: there are no numbers to compare",
                    parsed.request.model.string(), parsed.request.block));
  }
  for (std::size_t i = 0; i < outcome.outputs.size(); ++i) {
    call.results.push_back(result_of(model.outputs()[i], outcome.outputs[i].tensor));
  }
  return call;
}

}  // namespace deformdiff
