#include "generators/ms_deform_attn/backward_turns.h"

#include "generators/ms_deform_attn/levels.h"

#include <array>
#include <bit>
#include <vector>

#include <fmt/format.h>

namespace deformdiff::ms_deform_attn {
namespace {

/// Of each reduction in its order: the least, and those of which a tree has an odd tail or a block is short.
const std::array<std::vector<std::int64_t>, kReductions>& channels_by_reduction() {
  static const std::array<std::vector<std::int64_t>, kReductions> channels{
      {{1, 4, 32}, {64, 512}, {3, 30, 33}, {71, 96, 511}, {1024}, {513, 1025}}};
  return channels;
}

enum class OtherTurn : std::uint8_t { kOnePixel, kEdges, kSteps };
constexpr std::uint64_t kOtherTurns = 3;

/// Thousands of terms in an element of the gradient of value: queries in the middle of a small map, which is
/// a pixel's centre or between four.
Plan on_one_pixel(Draw& draw) {
  Sketch s;
  s.dtype = draw.chance(60) ? DType::kFloat32 : DType::kFloat64;
  s.dims = {draw.between(1, 2),
            0,
            draw.between(1, 2),
            draw.one_of<std::int64_t>({1, 2, 3, 5, 32}),
            0,
            draw.between(1, 2),
            draw.between(1, 2)};
  s.dims.Q = draw.between(3000, 6000) / (s.dims.D > 5 ? 2 : 1);
  s.levels = draw_levels(draw, s.dims.L, 25, false);
  s.dims.S = place_levels(s.levels, Starts::kConsecutive, draw);
  LocationStyle style{};
  style.mix = mix_of({{Place::kMiddle, 48}, {Place::kInside, 8}, {Place::kAround, 8}});
  style.both_alike = true;
  return {"adversarial", s, style};
}

/// Where a location's gradient jumps.
Plan on_edges(Draw& draw) {
  LocationStyle style{};
  style.mix = mix_of({{Place::kCentre, 24},
                      {Place::kBorder, 24},
                      {Place::kCentreUlp, 6},
                      {Place::kBorderUlp, 6},
                      {Place::kInside, 4}});
  return {"adversarial", draw_adversarial(draw, SizeChoice("D<=64")), style};
}

Plan in_steps(std::uint64_t round, Draw& draw) {
  Sketch s = draw_adversarial(draw, SizeChoice("N>=2,N<=12,D<=64"));
  const std::array<std::int64_t, 4> steps{s.dims.N - 1, s.dims.N + 1, 1, (s.dims.N + 1) / 2};
  s.im2col_step = steps[round % steps.size()];
  return {"adversarial", s};
}

}  // namespace

Reduction reduction_of(std::int64_t channels) {
  const bool power_of_two = std::has_single_bit(static_cast<std::uint64_t>(channels));
  if (channels > 512) return channels % 512 == 0 ? Reduction::kManyBlocks : Reduction::kGlobal;
  if (power_of_two) return channels <= 32 ? Reduction::kSerialOfBlockSize : Reduction::kTreeOfBlockSize;
  return channels < 64 ? Reduction::kSerial : Reduction::kTree;
}

Plan backward_turn(std::uint64_t number, Draw& draw) {
  const std::uint64_t round = number / (kReductions + kOtherTurns);
  const std::uint64_t kind = number % (kReductions + kOtherTurns);
  if (kind < kReductions) {
    const std::vector<std::int64_t>& channels = channels_by_reduction()[kind];
    const std::int64_t chosen = channels[round % channels.size()];
    return {"adversarial", draw_adversarial(draw, SizeChoice(fmt::format("D=={}", chosen)))};
  }
  switch (static_cast<OtherTurn>(kind - kReductions)) {
    case OtherTurn::kOnePixel:
      return on_one_pixel(draw);
    case OtherTurn::kEdges:
      return on_edges(draw);
    case OtherTurn::kSteps:
      break;
  }
  return in_steps(round, draw);
}

}  // namespace deformdiff::ms_deform_attn
