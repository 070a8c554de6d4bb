// What a subject says of itself: how it computes, and what it promises where the references differ.
// Bounds and rules follow from these declarations, never from a subject's name.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace deformdiff {

/// Of 16-bit types: each operation of a block in float32 and rounded once (kWide), the same but
/// ms_deform_attn, which is made of several operations of tensors that round each (kOperations), or every
/// step rounded.
enum class Arithmetic : std::uint8_t { kWide, kOperations, kStorage };

/// 16-bit results of operations that nobody sees: a fused graph may go on with them in float32, or they are
/// rounded like others.
enum class Unseen : std::uint8_t { kAny, kRounded };
enum class Coordinates : std::uint8_t { kAny, kFused, kGridSample };

/// Of norms: that of x - mean, or also mean(x^2) - mean^2. kLayerCentred: also that, but of group norms
/// alone.
enum class Variance : std::uint8_t { kAny, kCentred, kLayerCentred };

/// What operands of float32 products of matrices, convolutions among them, are cut to: nothing, 10 bits
/// behind the point (TF32), 7 (bfloat16), or two numbers of 7 of which the product of the smaller ones is
/// left out.
enum class Products : std::uint8_t { kFloat32, kTf32, kBfloat16, kBfloat16x3 };

/// How 3 x 3 convolutions of float32 and float64 are computed: as sums of products, or also by Winograd's
/// transforms of tiles with 2 x 2, 4 x 4 or 6 x 6 results.
enum class Convolutions : std::uint8_t { kDirect, kWinograd2, kWinograd4, kWinograd6 };

/// What such products are added up in.
enum class ProductSums : std::uint8_t { kFloat32, kFloat16 };

/// Of a float32 model whose matrix products, convolutions among them, run in 16 bits: operands are rounded to
/// the type, sums are of float32 and their results are rounded to it. Every other operation computes in
/// float32, and its result is float32 or of the type.
enum class Autocast : std::uint8_t { kNone, kFloat16, kBFloat16 };

/// Largest errors of functions, in ULPs of the result; erf's, which GELU needs, in ULPs of the larger of
/// |erf| and 1 + erf. The defaults cover every library that we know; erf's is the polynomial in LibTorch's
/// float32 GELU.
struct FunctionUlps {
  double exp = 4, tanh = 4, sin_cos = 4, pow = 4, erf = 8;
  friend auto operator<=>(const FunctionUlps&, const FunctionUlps&) = default;
};

/// How a subject computes, beyond the dtype of the case. Summation order and contraction are always free.
struct Precision {
  Arithmetic arithmetic = Arithmetic::kWide;
  Unseen unseen = Unseen::kAny;
  Coordinates coordinates = Coordinates::kAny;
  bool flush_to_zero = false;
  Variance variance = Variance::kAny;  ///< of norms
  FunctionUlps ulps{};
  Products products = Products::kFloat32;
  ProductSums product_sums = ProductSums::kFloat32;
  Convolutions convolutions = Convolutions::kDirect;
  Autocast autocast = Autocast::kNone;
  friend auto operator<=>(const Precision&, const Precision&) = default;
};

enum class Deterministic : std::uint8_t { kUnknown, kYes, kNo };
enum class Im2colStep : std::uint8_t { kAny, kDivides };  ///< kDivides: min(N, im2col_step) must divide N
enum class NonfiniteLocation : std::uint8_t { kAny, kZero, kNan };
enum class NonfiniteWeightOutside : std::uint8_t { kAny, kIgnored, kPropagates };
enum class NonfiniteValueAtZeroWeight : std::uint8_t { kAny, kPropagates, kIgnored };
enum class LevelStartIndex : std::uint8_t { kHonoured, kIgnored };
enum class EdgeGradient : std::uint8_t { kAny, kZero, kOneSided };

/// What a subject promises. `kAny` admits the union of what the other values allow.
struct Contract {
  Deterministic deterministic = Deterministic::kUnknown;
  Im2colStep im2col_step = Im2colStep::kAny;
  NonfiniteLocation nonfinite_location = NonfiniteLocation::kAny;
  NonfiniteWeightOutside nonfinite_weight_outside = NonfiniteWeightOutside::kAny;
  NonfiniteValueAtZeroWeight nonfinite_value_at_zero_weight = NonfiniteValueAtZeroWeight::kAny;
  LevelStartIndex level_start_index = LevelStartIndex::kHonoured;
  EdgeGradient edge_gradient = EdgeGradient::kAny;
  /// Of single outputs, by name, where it is not that of all; "value" is grad_value too.
  std::map<std::string, Deterministic> deterministic_outputs{};
  friend auto operator<=>(const Contract&, const Contract&) = default;

  /// Whether a second run gives this output the same bits.
  bool repeats(const std::string& output) const {
    constexpr std::string_view kGradient = "grad_";
    auto own = deterministic_outputs.find(output);
    if (own == deterministic_outputs.end() && output.starts_with(kGradient))
      own = deterministic_outputs.find(output.substr(kGradient.size()));
    return (own == deterministic_outputs.end() ? deterministic : own->second) == Deterministic::kYes;
  }
};

}  // namespace deformdiff
