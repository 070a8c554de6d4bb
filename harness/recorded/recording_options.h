// What is said of recorded tensors beside the tensors: framework, configuration, names.
#pragma once

#include "blocks/layouts/names.h"
#include "core/safetensors.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace deformdiff {

/// Each wins over what the file's metadata say.
struct RecordingOptions {
  std::string layout;                          ///< by name; empty: the metadata's, or Hugging Face's
  std::filesystem::path config;                ///< a JSON file; empty: the metadata's, or the defaults
  std::map<std::string, std::string> mapping;  ///< our tensor name to the file's
  bool inputs_alone = false;                   ///< a file without outputs will do
};

/// Throws InputError for a layout that we do not know.
Layout layout_of(const RecordingOptions& options, const SafetensorsFile& file);

/// The configuration as attributes of the block. Throws InputError naming the key that does not do.
Attributes configured_attributes(const RecordingOptions& options, const SafetensorsFile& file, Layout layout,
                                 const BlockDefinition& block);

/// What the file that --config names says of extents: extents_from_config(). Empty without one.
Extents configured_extents(const RecordingOptions& options, const BlockDefinition& block);

/// The configured attributes, and the block's defaults for the others.
Attributes with_defaults(const BlockDefinition& block, Attributes configured);

/// All attributes of the block, by configuration, shapes of `inputs` and defaults. Throws InputError that
/// names those that must be given with --config.
Attributes complete_attributes(Layout layout, const BlockDefinition& block,
                               const std::vector<NamedTensor>& inputs, const Attributes& configured);

}  // namespace deformdiff
