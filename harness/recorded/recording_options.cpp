#include "recorded/recording_options.h"

#include "blocks/attribute_rules.h"
#include "blocks/layouts/configuration.h"
#include "blocks/layouts/inference.h"
#include "core/error.h"
#include "core/files.h"
#include "core/strict_json.h"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// Numbers out of range are refused before names are made of them.
Attributes checked_attributes(Layout layout, const BlockDefinition& block, const Json& config) {
  Attributes configured = attributes_from_config(layout, block, config);
  check_attributes(block, with_defaults(block, configured));
  return configured;
}

/// What `use` makes of the JSON in the file that --config names. Its refusals name the file.
template <typename Use>
auto with_config(const RecordingOptions& options, const Use& use) {
  const std::string name = options.config.string();
  const Json config = parse_strict_json(read_file(options.config, kLargestText), name);
  try {
    return use(config);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace

Layout layout_of(const RecordingOptions& options, const SafetensorsFile& file) {
  const auto named = file.metadata.find("layout");
  const std::string name = !options.layout.empty()        ? options.layout
                           : named != file.metadata.end() ? named->second
                                                          : "huggingface";
  const auto layout = layout_from_name(name);
  if (!layout) throw InputError(fmt::format("layout '{}': huggingface, mmdet or facebook wanted", name));
  return *layout;
}

Attributes configured_attributes(const RecordingOptions& options, const SafetensorsFile& file, Layout layout,
                                 const BlockDefinition& block) {
  if (!options.config.empty()) {
    return with_config(options,
                       [&](const Json& config) { return checked_attributes(layout, block, config); });
  }
  const auto found = file.metadata.find("config");
  if (found == file.metadata.end()) return {};
  return checked_attributes(layout, block, parse_strict_json(found->second, "metadata 'config'"));
}

Extents configured_extents(const RecordingOptions& options, const BlockDefinition& block) {
  if (options.config.empty()) return {};
  return with_config(options, [&](const Json& config) { return extents_from_config(block, config); });
}

Attributes with_defaults(const BlockDefinition& block, Attributes configured) {
  configured.merge(block.default_attributes());
  return configured;
}

Attributes complete_attributes(Layout layout, const BlockDefinition& block,
                               const std::vector<NamedTensor>& inputs, const Attributes& configured) {
  Inference inference = infer_attributes(layout, block, shapes_of(inputs), configured);
  if (!inference.unknown.empty()) {
    throw InputError(fmt::format(
        "block {}: the configuration does not say, and no shape tells: {}; give them in --config FILE.json",
        block.name(), fmt::join(inference.unknown, ", ")));
  }
  return std::move(inference.attributes);
}

}  // namespace deformdiff
