#include "engine/number_kinds.h"

#include "core/number.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

constexpr std::array<const char*, 4> kNames{"NaN", "infinities", "huge numbers", "tiny numbers"};

/// Of numbers in one floating type.
class Kinds {
 public:
  explicit Kinds(const FloatFormat& format)
      : format_(format), huge_(std::sqrt(format.largest)), tiny_(std::sqrt(format.smallest_normal)) {}

  std::optional<NumberKind> of(double number) const {
    const double magnitude = std::abs(number);
    if (std::isnan(number)) return NumberKind::kNaN;
    if (std::isinf(number)) return NumberKind::kInfinity;
    if (magnitude > huge_) return NumberKind::kHuge;
    if (magnitude > 0 && magnitude < tiny_) return NumberKind::kTiny;
    return std::nullopt;
  }

  double number_of(std::optional<NumberKind> kind) const {
    if (!kind) return 1;
    switch (*kind) {
      case NumberKind::kNaN:
        return std::numeric_limits<double>::quiet_NaN();
      case NumberKind::kInfinity:
        return std::numeric_limits<double>::infinity();
      case NumberKind::kHuge:
        return format_.largest;
      case NumberKind::kTiny:
        return format_.smallest_subnormal;
    }
    return 1;
  }

 private:
  FloatFormat format_;
  double huge_;
  double tiny_;
};

/// Where numbers of 16 bits are rounded to, none are stored here.
bool has_kinds(const Tensor& tensor) {
  return tensor.dtype() == DType::kFloat32 || tensor.dtype() == DType::kFloat64;
}

}  // namespace

NumberKinds kinds_in(const Case& c) {
  NumberKinds found;
  for (const NamedTensor& input : c.inputs) {
    if (!has_kinds(input.tensor)) continue;
    const Kinds kinds(float_format(input.tensor.dtype()));
    const Tensor dense = input.tensor.contiguous();
    const auto bytes = dense.storage();
    for (std::size_t at = 0; at < bytes.size(); at += size_of(dense.dtype())) {
      if (const auto kind = kinds.of(load_number(dense.dtype(), &bytes[at]))) found.insert(*kind);
    }
  }
  return found;
}

NumberKinds without(const NumberKinds& kinds, const NumberKinds& taken) {
  NumberKinds left;
  std::ranges::set_difference(kinds, taken, std::inserter(left, left.end()));
  return left;
}

Case with_replaced(Case c, const NumberKinds& kinds, std::optional<NumberKind> by) {
  for (auto& [name, tensor] : c.inputs) {
    if (!has_kinds(tensor)) continue;
    const Kinds of_type(float_format(tensor.dtype()));
    const auto storage = std::make_shared<Tensor::Bytes>(tensor.storage().begin(), tensor.storage().end());
    for (std::size_t at = 0; at < storage->size(); at += size_of(tensor.dtype())) {
      const double number = load_number(tensor.dtype(), &(*storage)[at]);
      const auto kind = of_type.of(number);
      if (!kind || !kinds.contains(*kind)) continue;
      store_number(std::copysign(of_type.number_of(by), number), tensor.dtype(), &(*storage)[at]);
    }
    tensor = Tensor(tensor.dtype(), tensor.shape(), tensor.strides(), tensor.offset(), storage);
  }
  return c;
}

NumberKinds kinds_needed(const Case& c, const std::function<bool(const Case&)>& fails) {
  NumberKinds needed;
  for (const NumberKind kind : kinds_in(c)) {
    if (!fails(with_replaced(c, {kind}, std::nullopt))) needed.insert(kind);
  }
  return needed;
}

bool fail_apart(const FailingCase& a, const FailingCase& b, const std::function<bool(const Case&)>& fails) {
  if (a.needs == b.needs) return false;
  const auto fails_with_kinds_of = [&](const FailingCase& one, const FailingCase& other) {
    const NumberKinds own = without(one.needs, other.needs);
    return !own.empty() && std::ranges::any_of(without(other.needs, one.needs), [&](NumberKind kind) {
      return fails(with_replaced(one.problem, own, kind));
    });
  };
  return !fails_with_kinds_of(a, b) && !fails_with_kinds_of(b, a);
}

std::string text_of(const NumberKinds& kinds) {
  std::vector<std::string> names;
  for (const NumberKind kind : kinds) names.emplace_back(kNames.at(static_cast<std::size_t>(kind)));
  return names.empty() ? "ordinary numbers" : fmt::format("{}", fmt::join(names, " and "));
}

}  // namespace deformdiff
