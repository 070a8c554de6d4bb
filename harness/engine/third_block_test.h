// A block of one stage, as the operator is, with a stream of cases and their shrinks, for the tests of the
// engine.
#pragma once

#include "core/error.h"
#include "engine/toy_block_test.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace deformdiff {

/// Elements below 1 are of class "border".
class ThirdOracle : public CountingOracle {
 public:
  std::vector<std::string> element_classes(const Case& c,
                                           std::span<const std::int64_t> elements) const override {
    std::vector<std::string> classes;
    for (const std::int64_t element : elements) {
      classes.emplace_back(c.input("x").element(element) < 1 ? "border" : "interior");
    }
    return classes;
  }
};

/// output = x / 3. Its dimension N is the number of elements, which an im2col step of 2 must divide.
class ThirdBlock : public ToyBlock {
 public:
  static constexpr std::int64_t kWorkingMemory = 1000;

  std::string name() const override { return "third"; }
  std::vector<std::string> output_names() const override { return {"output"}; }
  /// The scripts of tests compute in float32 alone.
  void validate(const Case& c) const override {
    if (c.input("x").dtype() != DType::kFloat32) throw InputError("x: float32 wanted");
  }
  std::vector<OutputSpec> outputs(const Case& c) const override {
    return {{"output", c.input("x").dtype(), c.input("x").shape(), "output"}};
  }
  std::vector<Stage> stages(const Case& c) const override {
    return {{"output", "third", c.input("x").dtype(), {{"x", "x", {}}}, {}, {}}};
  }
  DType compute_dtype(const Case& c) const override { return c.input("x").dtype(); }
  std::map<std::string, std::int64_t> dimensions(const Case& c) const override {
    return {{"N", c.input("x").elements()}};
  }
  std::string outside_contract(const Case& c, const Contract& contract) const override {
    const bool refused = contract.im2col_step == Im2colStep::kDivides && c.input("x").elements() % 2 != 0;
    return refused ? "im2col_step does not divide N" : "";
  }
  std::int64_t working_memory(const Case&, const Precision&) const override { return kWorkingMemory; }
};

inline Case third_case(const std::vector<float>& x) {
  const auto elements = static_cast<std::int64_t>(x.size());
  return {"third", {}, {{"x", Tensor::of<float>(DType::kFloat32, {elements}, x)}}, {}};
}

inline std::vector<float> numbers_of(const Case& c) {
  const auto x = c.input("x").values<float>();
  return {x.begin(), x.end()};
}

inline bool contains(const Case& c, float number) {
  return std::ranges::count(numbers_of(c), number) > 0;
}

/// What a correct implementation returns; where `wrong` holds of a number, the result is too large by 2000
/// times its bound.
inline Outcome thirds(const Case& c, const std::function<bool(float)>& wrong = {}) {
  std::vector<float> values = numbers_of(c);
  for (float& value : values) value = value / 3 * (wrong && wrong(value) ? 1 + 2000 * float{kUnit} : 1);
  Outcome outcome;
  outcome.kind = Outcome::Kind::kReturned;
  outcome.outputs = {{"output", Tensor::of<float>(DType::kFloat32, c.input("x").shape(), values)}};
  return outcome;
}

inline bool is_thirteen(float number) {
  return number == 13;
}

inline Outcome wrong_on_thirteen(const Case& c, std::span<const Case>) {
  return thirds(c, is_thirteen);
}

/// Case i is 10 + i, 2, 4, 8.
class ThirdGenerator : public Generator {
 public:
  std::vector<Tier> tiers() const override { return {{"plain", 1, ""}}; }
  std::vector<TriggerClass> triggers() const override { return {}; }
  Case generate(const StreamChoice& choice, std::uint64_t index) const override {
    Case c = third_case({10 + static_cast<float>(index), 2, 4, 8});
    c.provenance = {"fuzz", "plain", choice.seed, index};
    return c;
  }
  std::vector<std::string> triggers_hit(const Case&) const override { return {}; }
};

/// Without one of its numbers, then with a 1 in place of one.
inline CaseStream third_shrinks(const Case& c) {
  std::vector<std::vector<float>> smaller;
  const std::vector<float> x = numbers_of(c);
  for (std::size_t i = 0; i < x.size() && x.size() > 1; ++i) {
    smaller.push_back(x);
    smaller.back().erase(smaller.back().begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == 1) continue;
    smaller.push_back(x);
    smaller.back()[i] = 1;
  }
  return [smaller, at = std::size_t{0}]() mutable -> std::optional<Case> {
    if (at == smaller.size()) return std::nullopt;
    return third_case(smaller[at++]);
  };
}

inline const Oracle& third_operation(const std::string&, DType) {
  static const ThirdOracle oracle;
  return oracle;
}

/// The same with its sets changed: for what is declared, or for numbers of another kind.
template <void (*kChange)(OutputReference&, const Precision&, const Contract&)>
const Oracle& changed_third_operation(const std::string&, DType) {
  class ChangedOracle : public ThirdOracle {
   public:
    Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                       int threads) const override {
      Reference reference = ThirdOracle::evaluate(c, precision, contract, threads);
      kChange(reference.outputs.front(), precision, contract);
      return reference;
    }
  };
  static const ChangedOracle oracle;
  return oracle;
}

inline const BlockEntry& third() {
  static const ThirdBlock block;
  static const ThirdGenerator generator;
  static const BlockEntry entry{&block, third_operation, &generator, third_shrinks};
  return entry;
}

}  // namespace deformdiff
