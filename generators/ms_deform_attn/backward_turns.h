// What backward kernels go wrong at, by turns.
#pragma once

#include "generators/ms_deform_attn/operator_generator.h"

#include <cstdint>

namespace deformdiff::ms_deform_attn {

/// How a gradient of a location or weight is added up over the D channels, by D, in the kernels that most
/// others come from (MMCV, Deformable-DETR): each family is code of its own.
enum class Reduction : std::uint8_t {
  kSerialOfBlockSize,  ///< a power of two up to 32
  kTreeOfBlockSize,    ///< a power of two from 64 to 512
  kSerial,             ///< any other below 64
  kTree,               ///< any other up to 512
  kManyBlocks,         ///< a multiple of 512 above it
  kGlobal,             ///< any other above 512
};
constexpr std::uint64_t kReductions = 6;

Reduction reduction_of(std::int64_t channels);

/// Turn `number`: the reductions, each with each of a few numbers of channels in its turn; then thousands of
/// points on one pixel; points on pixels' centres and at the ends of the support; a batch of more than one
/// im2col_step. All of tier adversarial.
Plan backward_turn(std::uint64_t number, Draw& draw);

}  // namespace deformdiff::ms_deform_attn
