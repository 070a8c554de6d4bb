// What Winograd's 3 x 3 convolutions add up instead of products of inputs and weights.
#pragma once

#include "core/precision.h"
#include "oracles/operations/evaluator.h"

#include <cstdint>
#include <span>
#include <vector>

namespace deformdiff::operation {

/// One convolution [B, I, H, W] x [O, I, 3, 3], stride 1, its maps padded with zeros.
struct ConvolutionSizes {
  std::int64_t batch, inputs, height, width, outputs, padding;
  std::int64_t out_height() const { return height + 2 * padding - 2; }
  std::int64_t out_width() const { return width + 2 * padding - 2; }
};

/// Of Winograd's minimal filtering F(m x m, 3 x 3) (Lavin and Gray, *Fast Algorithms for Convolutional Neural
/// Networks*, 2016): each tile of m x m results is A^T ((G w G^T) .* (B^T x B)) A, summed over input channels
/// where the dot is, for matrices that follow from m + 1 points and infinity (Toom, Cook). Tiles begin at the
/// first result. README, "Products".
class WinogradSums {
 public:
  WinogradSums() = default;  ///< of no convolution

  /// Evaluates the sums of magnitudes |A|^T ((|G| |w| |G|^T) .* (|B|^T |x| |B|)) |A| of all results.
  template <typename T>
  WinogradSums(Convolutions how, const ConvolutionSizes& sizes, std::span<const T> x,
               std::span<const T> weight, int threads);

  bool empty() const { return magnitudes_.empty(); }
  /// Of result `pixel` of channel `channel` of image `image`. Not finite where the tile reads what is not.
  double magnitude(std::int64_t image, std::int64_t channel, std::int64_t pixel) const {
    return magnitudes_[static_cast<std::size_t>((image * outputs_ + channel) * pixels_ + pixel)];
  }
  /// Roundings that a term of the sums passes at most.
  double roundings() const { return roundings_; }
  /// Of the smallest number, what a result loses at most where terms lie below the normal range.
  double underflows(std::int64_t image) const { return underflows_[static_cast<std::size_t>(image)]; }

 private:
  std::int64_t outputs_ = 0, pixels_ = 0;
  double roundings_ = 0;
  std::vector<double> magnitudes_, underflows_;
};

}  // namespace deformdiff::operation
