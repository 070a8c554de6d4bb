// What `check` is asked.
#pragma once

#include "blocks/levels.h"
#include "core/attributes.h"
#include "core/declaration.h"
#include "engine/runner.h"
#include "recorded/recording_options.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

struct CheckRequest {
  std::filesystem::path model;
  std::string block;                          ///< that the model is, or kOpaqueBlock
  RecordingOptions options;                   ///< layout and configuration of the model
  Attributes attributes{};                    ///< of the model, if known: in place of the configuration
  std::filesystem::path parameters;           ///< safetensors; empty for the model's own
  std::vector<std::filesystem::path> inputs;  ///< safetensors, with recorded outputs or without
  std::optional<LevelSize> image{};           ///< the model takes images of this size, the block is inside it
  std::vector<std::string> input_order;       ///< names of the model's arguments; empty where they follow
  std::vector<std::string> output_order;
  Declaration declared;    ///< of the model, over what is declared of its runtime
  std::uint64_t seed = 0;  ///< of the generated inputs
  int threads = 1;
  RunLimits limits;
  std::filesystem::path findings;  ///< folder for the cases of what is found
  std::int64_t memory_limit = 0;   ///< of a case over oracle and implementation; 0 is none
};

}  // namespace deformdiff
