// How a framework's tensor becomes ours.
#pragma once

#include "core/tensor.h"

#include <cstdint>
#include <string>

namespace deformdiff {

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

/// One of their tensors, and ours that it is when seen so.
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

}  // namespace deformdiff
