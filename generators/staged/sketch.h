// What a case of a deep block is but for its elements, and what kind of elements it gets.
#pragma once

#include "blocks/block_definition.h"
#include "blocks/levels.h"
#include "generators/common/draw.h"
#include "generators/common/size_choice.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace deformdiff {

enum class DeepTier : std::uint8_t { kTypical, kAdversarial, kDegenerate };

/// What is unusual about the elements.
enum class Twist : std::uint8_t {
  kFlatRows,       ///< rows of the features nearly or wholly constant, nothing added to them: variance near 0
  kLargeMean,      ///< features around 1000: a norm must subtract what is large
  kLargeLogits,    ///< attention logits large: softmax is all on one point or key
  kZeroWeights,    ///< a third of the weight tensors are zero
  kSparseWeights,  ///< three weights in four are zero
  kFarOffsets,     ///< samples far outside the maps
  kPixelOffsets,   ///< offsets are whole and half pixels: samples on centres and edges
  kTies,           ///< everything is one of few halves
  kZeroMaskLogits,   ///< mask logits exactly 0
  kSmallMaskLogits,  ///< and within rounding of 0
  kScatteredMask,    ///< masks that no image has: single elements
  kWholeRowsMask,    ///< all of an image padded, all keys blocked for a query
  kPerHeadMask,      ///< heads with masks of their own
  kOddReferences,    ///< reference points on pixel centres, borders and outside
  kWideRange,        ///< features over many powers of two
};

struct Sketch {
  DeepTier tier;
  DType dtype;
  Attributes attributes;
  Extents extents;                ///< every name that the block's axes speak of
  std::vector<LevelSize> levels;  ///< from low to high resolution, or in any order
  std::set<std::string> given;    ///< the optional inputs that there are
  std::set<Twist> twists;
  bool large = false;  ///< of a real model's width
  SizeChoice choice;   ///< what conditions say of extents and attributes

  bool has(Twist twist) const { return twists.contains(twist); }
  std::int64_t& at(const std::string& extent) { return extents.at(extent); }
  std::int64_t at(const std::string& extent) const { return extents.at(extent); }
  /// The extent becomes `drawn`, or what conditions make of it.
  void set(const std::string& extent, std::int64_t drawn, Draw& draw) {
    extents[extent] = choice.fit(extent, drawn, 1, kLargestSize, draw);
  }
};

/// Extents and whole attributes by name, and N: what conditions may speak of.
Extents sizes_of(const Sketch& sketch);

/// Changes a sketch so that the block's rules hold.
using Adapt = std::function<void(Sketch&, Draw&)>;

/// Extents, levels and attributes that any block may have; adapted to the block. What adaptations do to the
/// sizes that `choice` speaks of is the caller's to check.
Sketch draw_sketch(const BlockDefinition& block, DeepTier tier, bool large, const Adapt& adapt,
                   const SizeChoice& choice, Draw& draw);

/// Makes M times `of_a_head` ("D", "Dd") a multiple of 4, as sine embeddings need it, and, but for large
/// sketches, `most` at most where that is possible.
void fit_width(Sketch& sketch, const std::string& of_a_head, std::int64_t most, Draw& draw);

/// One of the divisors of `channels`: one group, one channel a group, or between.
std::int64_t draw_groups(std::int64_t channels, Draw& draw);

/// Extents "H0", "W0", "H1", ... of the levels, and "H", "W" of a map finer than all of them.
void name_maps(Sketch& sketch, Draw& draw);

/// Extents "H" and "W" of a map on its own.
void name_map(Sketch& sketch, Draw& draw);

/// The parameters that a transformer decoder may have between its maps and its queries, for every level.
void give_input_projections(Sketch& sketch);

/// Attributes of position embeddings, mostly the default.
void draw_position_attributes(Sketch& sketch, Draw& draw);

}  // namespace deformdiff
