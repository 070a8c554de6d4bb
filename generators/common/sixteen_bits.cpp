#include "generators/common/sixteen_bits.h"

#include "core/random.h"
#include "core/sixteen_bits.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace deformdiff {
namespace {

/// Of a hundred cases, each.
constexpr std::uint64_t kShare = 15;

/// The trigger class that 16-bit cases hit when they are widened, and that of mixed types.
constexpr const char* kFloat32 = "float32";
constexpr const char* kMixedTypes = "mixed_types";

/// Names of tensors.
using Names = std::set<std::string>;

/// The types that the floating tensors of a case are to have.
struct Types {
  DType most;
  Names float32;  ///< tensors that have this one instead

  DType of(const std::string& name) const { return float32.contains(name) ? DType::kFloat32 : most; }
};

/// Those of a case of 16 bits; none of any other.
std::optional<Types> types_of(const Case& c) {
  std::optional<Types> types;
  Names float32;
  for (const NamedTensor& input : c.inputs) {
    const DType dtype = input.tensor.dtype();
    if (is_sixteen_bits(dtype)) types = Types{dtype, {}};
    if (dtype == DType::kFloat32) float32.insert(input.name);
  }
  if (types) types->float32 = std::move(float32);
  return types;
}

/// The case with every storage of floating numbers converted, the layout as it was: convert(storage, dtype)
/// is called once for each. Storage that tensors of one type share stays shared.
template <typename Convert>
Case with_storage(Case c, const Types& types, const Convert& convert) {
  std::map<std::pair<const Tensor::Bytes*, DType>, std::shared_ptr<const Tensor::Bytes>> converted;
  for (NamedTensor& input : c.inputs) {
    const Tensor& tensor = input.tensor;
    const DType dtype = types.of(input.name);
    if (!is_floating(tensor.dtype()) || tensor.dtype() == dtype) continue;
    auto& storage = converted[{tensor.shared_storage().get(), dtype}];
    if (!storage) {
      const auto count = static_cast<std::int64_t>(tensor.storage().size() / size_of(tensor.dtype()));
      const Tensor flat(tensor.dtype(), {count}, {1}, 0, tensor.shared_storage());
      storage = convert(flat, dtype).shared_storage();
    }
    input.tensor = Tensor(dtype, tensor.shape(), tensor.strides(), tensor.offset(), storage);
  }
  return c;
}

Case narrowed(const Case& c, const Types& types) {
  return with_storage(c, types, [](const Tensor& from, DType dtype) { return convert(from, dtype); });
}

Case widened(const Case& c) {
  return narrowed(c, {DType::kFloat32, {}});
}

/// A power of two that brings numbers, nine in ten of which are beyond the type's range, into it; 1 for
/// others.
double scale_into(DType dtype, std::span<const double> numbers) {
  const FloatFormat format = float_format(dtype);
  std::int64_t nonzero = 0, above = 0, below = 0;
  double largest = 0;
  for (const double number : numbers) {
    const double size = std::abs(number);
    if (!std::isfinite(size) || size == 0) continue;
    ++nonzero;
    above += size > format.largest ? 1 : 0;
    below += size < format.smallest_subnormal ? 1 : 0;
    largest = std::max(largest, size);
  }
  const auto scale_to = [&](double wanted) {
    return std::ldexp(1.0, std::ilogb(wanted) - std::ilogb(largest));
  };
  if (10 * above > 9 * nonzero) return scale_to(format.largest);
  if (10 * below > 9 * nonzero) return scale_to(format.smallest_normal);
  return 1;
}

/// A finite number of the type beside `t`, or `t`.
double beside(const SixteenBitFormat& format, double t, const CounterRandom& random) {
  const double nearest = round_to(format, std::clamp(t, -format.largest, format.largest));
  if (nearest == t || std::abs(t) >= format.largest || random.bits(std::bit_cast<std::uint64_t>(t)) % 2 == 0)
    return nearest;
  // As far on the other side of `t` as the next number is, or a little less: it is the nearest one there.
  const int exponent = std::max(std::ilogb(t), format.least_exponent) - (format.precision - 1);
  const double unit = std::ldexp(1.0, exponent);
  return round_to(format,
                  std::clamp(nearest < t ? nearest + unit : nearest - unit, -format.largest, format.largest));
}

/// A generated case with a type of 16 bits.
Case drawn_in(const Types& types, const Case& c, const CounterRandom& random) {
  return with_storage(c, types, [&](const Tensor& from, DType dtype) {
    if (!is_sixteen_bits(dtype)) return convert(from, dtype);
    const SixteenBitFormat& format = sixteen_bit_format(dtype);
    const Tensor wide = convert(from, DType::kFloat64);
    const auto numbers = wide.values<double>();
    const double scale = scale_into(dtype, numbers);
    std::vector<double> drawn(numbers.begin(), numbers.end());
    for (double& number : drawn) {
      if (std::isfinite(number)) number = beside(format, number * scale, random);
    }
    return convert(Tensor::of<double>(DType::kFloat64, from.shape(), drawn), dtype);
  });
}

/// Cases of a stream in the types of `from`, rounded; without those that are `from` again.
CaseStream narrowed_stream(CaseStream cases, const Types& types, Case from) {
  return [cases = std::move(cases), types, from = std::move(from)]() -> std::optional<Case> {
    while (const auto next = cases()) {
      Case narrow = narrowed(*next, types);
      if (narrow.inputs != from.inputs || narrow.attributes != from.attributes) return narrow;
    }
    return std::nullopt;
  };
}

class SixteenBitGenerator : public Generator {
 public:
  SixteenBitGenerator(const Generator& generator, MixedTypes mixed)
      : generator_(generator), mixed_(std::move(mixed)) {
    for (const Tier& tier : generator.tiers()) {
      if (tier.share == 0) unnamed_.push_back(tier.name);
    }
  }

  std::vector<Tier> tiers() const override { return generator_.tiers(); }

  std::vector<TriggerClass> triggers() const override {
    std::vector<TriggerClass> all = generator_.triggers();
    if (std::ranges::find(all, kFloat32, &TriggerClass::name) == all.end()) return all;
    all.push_back({"float16", "stored in float16"});
    all.push_back({"bfloat16", "stored in bfloat16"});
    // Not every block has what could stay float32.
    const bool mixes =
        mixed_.float32_inputs && !mixed_.float32_inputs(generator_.generate(0, {"typical"}, 0)).empty();
    if (mixes) all.push_back({kMixedTypes, mixed_.words});
    return all;
  }

  using Generator::generate;
  Case generate(const StreamChoice& choice, std::uint64_t index) const override {
    Case c = generator_.generate(choice, index);
    const auto types = drawn_types(c, choice, index);
    return types ? drawn_in(*types, c, random_of(choice).stream(index)) : c;
  }

  std::optional<Case> outline(const StreamChoice& choice, std::uint64_t index) const override {
    std::optional<Case> c = generator_.outline(choice, index);
    if (!c) return c;
    const auto types = drawn_types(*c, choice, index);
    return types ? narrowed(*c, *types) : c;
  }

  std::vector<std::string> triggers_hit(const Case& c) const override {
    const auto types = types_of(c);
    if (!types) return generator_.triggers_hit(c);
    std::vector<std::string> hit = generator_.triggers_hit(widened(c));
    std::erase(hit, kFloat32);
    hit.emplace_back(name_of(types->most));
    if (!types->float32.empty()) hit.emplace_back(kMixedTypes);
    return hit;
  }

 private:
  static CounterRandom random_of(const StreamChoice& choice) {
    constexpr std::uint64_t kSixteen = 16;
    return CounterRandom(choice.seed).stream(kSixteen);
  }

  /// Of case `index`, if it is to have 16 bits.
  std::optional<Types> drawn_types(const Case& c, const StreamChoice& choice, std::uint64_t index) const {
    const std::uint64_t drawn = random_of(choice).below(index, 100);
    if (drawn >= 2 * kShare || std::ranges::find(unnamed_, c.provenance.tier) != unnamed_.end()) return {};
    const bool mixed = drawn % 3 == 0 && mixed_.float32_inputs;
    return Types{drawn < kShare ? DType::kFloat16 : DType::kBFloat16,
                 mixed ? mixed_.float32_inputs(c) : Names()};
  }

  const Generator& generator_;
  MixedTypes mixed_;
  std::vector<std::string> unnamed_;  ///< tiers that are drawn only where they are named
};

}  // namespace

std::unique_ptr<const Generator> with_sixteen_bits(const Generator& generator, MixedTypes mixed) {
  return std::make_unique<SixteenBitGenerator>(generator, std::move(mixed));
}

Shrinks with_sixteen_bits(Shrinks shrinks) {
  return [shrinks = std::move(shrinks)](const Case& c) {
    const auto types = types_of(c);
    return types ? narrowed_stream(shrinks(widened(c)), *types, c) : shrinks(c);
  };
}

Ablations with_sixteen_bits(Ablations ablations) {
  for (Ablation& ablation : ablations) {
    ablation.without = [without = std::move(ablation.without)](const Case& c) -> CaseStream {
      const auto types = types_of(c);
      if (!types) return without(c);
      // The case itself says that it has no such property.
      return [cases = without(widened(c)), types = *types]() -> std::optional<Case> {
        const auto next = cases();
        return next ? std::optional(narrowed(*next, types)) : std::nullopt;
      };
    };
  }
  return ablations;
}

Mutation with_sixteen_bits(Mutation mutate) {
  return [mutate = std::move(mutate)](const Case& c, std::uint64_t key,
                                      bool keeps_sizes) -> std::optional<Case> {
    const auto types = types_of(c);
    if (!types) return mutate(c, key, keeps_sizes);
    const auto changed = mutate(widened(c), key, keeps_sizes);
    if (!changed) return std::nullopt;
    Case narrow = narrowed(*changed, *types);
    if (narrow.inputs == c.inputs && narrow.attributes == c.attributes) return std::nullopt;
    return narrow;
  };
}

}  // namespace deformdiff
