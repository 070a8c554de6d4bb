#include "recorded/recording_of_case.h"

#include "blocks/block_definition.h"
#include "core/strict_json.h"

#include <fmt/format.h>

namespace deformdiff {

SafetensorsFile recording_of(const Case& c) {
  SafetensorsFile file;
  Json config = Json::object();
  for (const auto& [name, value] : c.attributes) {
    // Position embeddings are of the bits that their dtype says.
    if (name != "bits") config[name] = value;
  }
  file.metadata = {{"block", c.block}, {"config", config.dump()}};
  if (!c.provenance.tier.empty()) {
    file.metadata["tier"] = c.provenance.tier;
    file.metadata["seed"] = fmt::format("{}", c.provenance.seed);
    file.metadata["index"] = fmt::format("{}", c.provenance.index);
  }
  for (const auto& [name, tensor] : c.inputs) {
    file.tensors.push_back({is_parameter(name) ? name : "in." + name, tensor.contiguous()});
  }
  return file;
}

}  // namespace deformdiff
