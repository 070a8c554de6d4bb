// Modules exported by tests: our models, with values changed on their way.
#pragma once

#include "blocks/block_list.h"
#include "check/run_check_test.h"
#include "faults/tampering.h"
#include "subjects/mask2former/test_calls.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/tracing/traced.h"

#include <functional>
#include <string>

#include <ATen/core/grad_mode.h>

namespace deformdiff::worker {

using Tampers = std::function<Tamper(const Call&)>;

/// What a model is run under while it is traced.
using Around = std::function<BlockFunction(BlockFunction)>;

/// What to check the model with these tampers with: the file that it is exported to, and no inputs.
inline std::string exported(
    const std::string& name, const std::string& block, const Tampers& tampers,
    at::ScalarType dtype = at::kFloat, const Around& around = [](BlockFunction model) { return model; }) {
  const TestCall owner = test_call(block, 2, /*masked=*/block == "decoder_layer", dtype);
  const Call call = owner();
  const std::filesystem::path model = folder() / (name + ".pt"), config = folder() / (name + ".config.json");
  {
    const at::NoGradGuard no_grad;
    save_traced(around(tampered(ms_deform_attn::forward_operator, tampers)), call, model.string());
  }
  nlohmann::json attributes;
  for (const auto& [key, value] : find_block_definition(block)->default_attributes()) {
    if (key != "bits" && call.attributes.contains(key)) attributes[key] = call.attributes.at(key);
  }
  std::ofstream(config) << attributes.dump();
  std::string order;
  for (const std::string& input : call.names) {
    if (!input.starts_with("param.")) order += (order.empty() ? "" : ",") + input;
  }
  return model.string() + " --block " + block + " --config " + config.string() + " --input-order " + order;
}

}  // namespace deformdiff::worker
