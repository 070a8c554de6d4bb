// The names and shapes that frameworks give a deep block's parameters, inputs, outputs and stages, and ours
// for them.
#pragma once

#include "blocks/block_definition.h"
#include "core/tensor.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

enum class Layout : std::uint8_t {
  kHuggingface,  ///< transformers: ours
  kMmdet,        ///< MMDetection 3.x and MMCV
  kFacebook      ///< facebookresearch/Mask2Former
};

std::string_view name_of(Layout layout);
std::optional<Layout> layout_from_name(std::string_view name);

/// How a tensor of theirs has to be seen to be ours.
enum class Rearrangement : std::uint8_t {
  kNone,
  kSwapped,           ///< [A, B, ..] is our [B, A, ..]: batch first and length first
  kMapToSequence,     ///< [B, C, H, W] is our [B, H*W, C]
  kChannelsInMiddle,  ///< [B, C, H*W] is our [H*W, B, C]
  kHeadsApart,        ///< [B*M, Q, D] is our [B, Q, M*D]
  kOneForAllImages,   ///< [S, 2] is each image's of our [B, S, 2]
  kOneForEachHead,    ///< [B*M, Q, H*W], the same for each head, is our [B, Q, H, W]
  kFirstThird,        ///< rows of three tensors packed into one
  kSecondThird,
  kLastThird
};

struct LayoutEntry {
  std::string theirs;
  std::string ours;
  Rearrangement how = Rearrangement::kNone;
};

/// Their tensor as ours, whose shape is `ours` (needed where it does not follow from theirs; else may be
/// empty). Throws InputError naming `theirs` where its shape does not do.
Tensor to_ours(const LayoutEntry& entry, const Tensor& theirs, const Shape& ours);

/// Our tensor as theirs. Requires a rearrangement that has a way back: kNone or kSwapped.
Tensor to_theirs(const LayoutEntry& entry, const Tensor& ours);

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
  std::optional<std::string> their_input(std::string_view ours) const;
  std::optional<std::string> their_output(std::string_view ours) const;
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
};

struct CanonicalParameters {
  std::vector<NamedTensor> tensors;  ///< "param." and our names
  std::string prefix;                ///< what stood before all of their names: "sem_seg_head.", ""
  /// Paths, behind the prefix, of modules that only wrap another, "decoder.inner.", and what they are without
  /// the wrapper, "decoder.".
  std::map<std::string, std::string> wrappers;
};

/// A path of theirs, behind the prefix, without wrappers.
std::string unwrapped(const CanonicalParameters& parameters, const std::string& path);

/// Their parameters as ours. A prefix common to all names ("module.", "decoder.") is found and taken off, and
/// so is one module within a path without which the name is known. Throws InputError that lists every name
/// that is unknown, every parameter that is missing, and every one given twice. Attributes that are not
/// `known` are inferred.
CanonicalParameters canonical_parameters(Layout layout, const BlockDefinition& block,
                                         const std::map<std::string, Tensor>& theirs,
                                         const Attributes& known);

/// Adds what exported modules are not given, because it follows from the rest: level_start_index from
/// spatial_shapes, encoder_hidden_states = hidden_states in an attention layer, valid_ratios of 1.
void derive_inputs(const BlockDefinition& block, std::vector<NamedTensor>& inputs);

}  // namespace deformdiff
