// The tables behind layout.h, in patterns of names.
#pragma once

#include "blocks/layouts/layout.h"
#include "blocks/layouts/name_pattern.h"

#include <string>
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

/// What a block is called in a layout. Where two entries have one name of ours, the first is theirs for it.
struct LayoutTables {
  NameTable parameters, stages, inputs, outputs;
};

/// Lives as long as the program.
const LayoutTables& layout_tables(Layout layout, const std::string& block, bool pre_norm);

/// `table` with `theirs` and `ours` before its names.
NameTable prefixed(const NameTable& table, const std::string& theirs, const std::string& ours);

/// `table` with "#{k}" behind its names, for what runs more than once.
NameTable called(const NameTable& table);

/// The tables of each layout, by block.
LayoutTables mmdet_tables(const std::string& block);
LayoutTables facebook_tables(const std::string& block, bool pre_norm);

/// What more than one layout has: the deformable attention's modules and values; a position embedding's
/// values under the module `theirs`, ours under `ours`, with "#{k}".
NameTable attention_parameters();
NameTable attention_stages();
NameTable position_stages(const std::string& theirs, const std::string& ours);

/// Self-attention's parameters, packed in the module `theirs` and apart in our self_attn.
NameTable self_attention_parameters(const std::string& theirs);

/// "weight" and "bias" of a module.
NameTable modules(const std::vector<std::pair<std::string, std::string>>& names);

void append(NameTable& table, const NameTable& more);

}  // namespace deformdiff
