// The tables behind LayoutNames, in patterns of names, and the rows that more than one framework has.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/layouts/name_pattern.h"
#include "blocks/layouts/rearrangement.h"

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace deformdiff {

struct PatternEntry {
  PatternEntry(std::string theirs_text, std::string ours_text,
               Rearrangement rearrangement = Rearrangement::kNone);

  std::string theirs, ours;  ///< as written
  Rearrangement how;
  NamePattern theirs_pattern, ours_pattern;
};

using NameTable = std::vector<PatternEntry>;

void append(NameTable& table, const NameTable& more);

/// What a block is called in a layout. Where two entries have one name of ours, the first is theirs for it.
struct LayoutTables {
  NameTable parameters, stages, inputs, outputs;
  /// Our names of a module's arguments, in their order; empty where it is the block's own order.
  std::vector<std::string> input_order;

  /// Modules, by their names and ours: weight and bias of each are parameters, and what it puts out is a
  /// stage, whose name ends in `call`.
  void add_modules(const std::vector<std::pair<std::string, std::string>>& names,
                   Rearrangement how = Rearrangement::kNone, const std::string& call = "");

  /// The parameters and stages of a part, with `theirs` and `ours` before its names.
  void add(const LayoutTables& part, const std::string& theirs, const std::string& ours);
};

/// Our own names: of a block that a framework does not have.
LayoutTables own_names(const BlockDefinition& block);

// The tables of each layout.
LayoutTables huggingface_tables(const BlockDefinition& block);
LayoutTables mmdet_tables(const BlockDefinition& block);
LayoutTables facebook_tables(const BlockDefinition& block, bool pre_norm);

// Where parts lie in a head of ours.
inline const std::string kTransformer = "model.transformer_module.";
inline const std::string kDecoder = "model.transformer_module.decoder.";
inline const std::string kPixelDecoder = "model.pixel_level_module.decoder.";

/// Names that are the same in both.
NameTable same_names(std::initializer_list<const char*> names);

/// A deformable attention, and the order of its arguments in Hugging Face and MMCV.
LayoutTables deformable_attention();
std::vector<std::string> attention_arguments();

/// The encoder whose layers these are.
LayoutTables encoder_of(const LayoutTables& layer);

/// A decoder layer's attentions, each packed in the module `theirs`; our self-attention's projections lie
/// apart.
LayoutTables cross_attention(const std::string& theirs);
LayoutTables self_attention(const std::string& theirs);

/// A position embedding's values under the module `theirs`, ours under `ours`, with "#{k}".
NameTable position_stages(const std::string& theirs, const std::string& ours);

/// Where the parts of a prediction lie, and what its values' names end in.
struct PredictionNames {
  std::string norm, classes, masks, call;
};
PredictionNames predictor_alone();
PredictionNames predictor_in_decoder();  ///< with "#{k}"

/// The mask logits of a prediction and what follows from them.
NameTable mask_stages(const PredictionNames& ours, Rearrangement probabilities = Rearrangement::kNone);

/// Embeddings of queries and levels in a transformer decoder.
NameTable query_parameters();

/// A head whose decoder's names begin with `decoder_prefix`.
LayoutTables head_of(const LayoutTables& pixel_decoder, const LayoutTables& decoder,
                     const std::string& decoder_prefix);

}  // namespace deformdiff
