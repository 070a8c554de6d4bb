// The names that frameworks give a deep block's parameters, inputs, outputs and stages, and ours for them.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/layouts/rearrangement.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

struct LayoutTables;

enum class Layout : std::uint8_t {
  kHuggingface,  ///< transformers: ours
  kMmdet,        ///< MMDetection 3.x and MMCV
  kFacebook      ///< facebookresearch/Mask2Former
};

std::string_view name_of(Layout layout);
std::optional<Layout> layout_from_name(std::string_view name);

/// The names of one block in one framework. Attributes matter where a name stands for different values: with
/// pre_norm a layer puts out a sum, else a norm.
class LayoutNames {
 public:
  /// Throws InputError where the framework has no such block: pre_norm in MMDetection.
  LayoutNames(Layout layout, const BlockDefinition& block, const Attributes& attributes);

  /// Ours for a stage of theirs; nullopt if we know none.
  std::optional<LayoutEntry> stage(std::string_view theirs) const;
  /// All of ours that one of theirs has the numbers of: an attention of theirs is our self_attn and, seen
  /// otherwise, its out_proj. Empty if we know none.
  std::vector<LayoutEntry> stages(std::string_view theirs) const;
  /// Theirs for a stage of ours, the one nearest to where it is computed; nullopt if they have none.
  std::optional<std::string> their_stage(std::string_view ours) const;

  /// The same for inputs, outputs and parameters; our own names are understood in every layout. Parameters
  /// are named without "param."; one of theirs may hold several of ours.
  std::optional<LayoutEntry> input(std::string_view theirs) const;
  std::optional<LayoutEntry> output(std::string_view theirs) const;
  std::vector<LayoutEntry> parameters(std::string_view theirs) const;
  std::string their_input(std::string_view ours) const;
  std::string their_output(std::string_view ours) const;
  std::optional<std::string> their_parameter(std::string_view ours) const;

  /// Our names of what a module of theirs is given and returns, in the order of its arguments and results.
  std::vector<std::string> input_order() const;
  std::vector<std::string> output_order() const;

  Layout layout() const { return layout_; }
  const BlockDefinition& block() const { return block_; }

 private:
  Layout layout_;
  const BlockDefinition& block_;
  Attributes attributes_;
  const LayoutTables& tables_;
};

}  // namespace deformdiff
