// A block of a few stages with an oracle that a reader can check in his head, for the tests of the engine.
#pragma once

#include "core/outcome.h"
#include "engine/block_entry.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace deformdiff {

inline constexpr double kUnit = 0x1p-24;

/// "double": y = 2 x, exact. "third": y = x / 3, correct to within kUnit of itself. "above": y = x > 1, free
/// within 1e-6 of it.
class ToyOracle : public Oracle {
 public:
  Reference evaluate(const Case& c, const Precision&, const Contract&, int) const override {
    const Tensor x = c.input("x").contiguous();
    Reference reference;
    OutputReference& output = reference.outputs.emplace_back();
    output.name = "output";
    output.dtype = c.block == "above" ? DType::kBool : x.dtype();
    output.shape = x.shape();
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      const double value = x.element(i);
      if (c.block == "above") {
        const bool free = std::abs(value - 1) < 1e-6;
        output.value.push_back(free ? 0.5 : value > 1 ? 1 : 0);
        output.bound.push_back(free ? 0.5 : 0);
      } else {
        output.value.push_back(c.block == "double" ? 2 * value : value / 3);
        output.bound.push_back(c.block == "double" ? 0 : kUnit * std::abs(value / 3));
      }
    }
    reference.total_elements = reference.telling_elements = x.elements();
    const bool zero = std::ranges::all_of(output.value, [](double value) { return value == 0; });
    if (c.block != "above" && zero) reference.vacuous = "every expected output is zero";
    return reference;
  }
  Explanation explain(const Case&, const Precision&, const Contract&, std::int64_t) const override {
    return {};
  }
  std::vector<std::string> element_classes(const Case&,
                                           std::span<const std::int64_t> elements) const override {
    return {elements.size(), "interior"};
  }
};

/// Counts evaluations, over all its objects.
class CountingOracle : public ToyOracle {
 public:
  Reference evaluate(const Case& c, const Precision& precision, const Contract& contract,
                     int threads) const override {
    ++evaluations;
    return ToyOracle::evaluate(c, precision, contract, threads);
  }
  static inline std::atomic<int> evaluations = 0;
};

/// layers.0.third -> layers.0.double -> layers.1.third -> layers.1.above, the outputs being the last two.
class ToyBlock : public Block {
 public:
  std::string name() const override { return "toy"; }
  std::vector<std::string> inputs() const override { return {"x"}; }
  std::vector<std::string> output_names() const override { return {"y", "above"}; }
  Attributes default_attributes() const override { return {}; }
  void validate(const Case&) const override {}
  std::vector<OutputSpec> outputs(const Case& c) const override {
    const Shape& shape = c.input("x").shape();
    return {{"y", DType::kFloat32, shape, "layers.1.third"},
            {"above", DType::kBool, shape, "layers.1.above"}};
  }
  std::vector<Stage> stages(const Case& c) const override {
    const Shape flat{c.input("x").elements()}, shape = c.input("x").shape();
    return {{"layers.0.third", "third", DType::kFloat32, {{"x", "x", {reshape(flat)}}}, {}, {reshape(shape)}},
            {"layers.0.double", "double", DType::kFloat32, {{"x", "layers.0.third", {}}}, {}, {}},
            {"layers.1.third", "third", DType::kFloat32, {{"x", "layers.0.double", {}}}, {}, {}},
            {"layers.1.above", "above", DType::kFloat32, {{"x", "layers.1.third", {}}}, {}, {}}};
  }
  DType compute_dtype(const Case&) const override { return DType::kFloat32; }
  std::map<std::string, std::int64_t> dimensions(const Case&) const override { return {}; }
  std::string outside_contract(const Case&, const Contract&) const override { return ""; }
  std::int64_t working_memory(const Case&, const Precision&) const override { return 0; }
};

/// What a correct implementation shows of all stages, with element 3 of `stage` times 1 + `size`.
inline Outcome toy_answer(const Case& c, const std::string& stage = "", float size = 0) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kReturned;
  const Tensor& x = c.input("x");
  std::vector<float> values(x.values<float>().begin(), x.values<float>().end());
  const auto show = [&](const std::string& name, auto step) {
    for (float& value : values) value = step(value);
    if (name == stage) values[3] *= 1 + size;
    outcome.stages.push_back({name, Tensor::of<float>(DType::kFloat32, x.shape(), values)});
  };
  const auto a_third = [](float value) { return value / 3; };
  show("layers.0.third", a_third);
  show("layers.0.double", [](float value) { return 2 * value; });
  show("layers.1.third", a_third);
  Tensor::Bytes bits;
  for (const float value : values) bits.push_back(std::byte{value > 1});
  outcome.stages.push_back({"layers.1.above", Tensor(DType::kBool, x.shape(), std::move(bits))});
  outcome.outputs = {{"y", outcome.stages[2].tensor}, {"above", outcome.stages[3].tensor}};
  return outcome;
}

inline const Oracle& toy_operation(const std::string&, DType) {
  static const ToyOracle oracle;
  return oracle;
}

inline const BlockEntry& toy() {
  static const ToyBlock block;
  static const BlockEntry entry{&block, toy_operation, nullptr, {}};
  return entry;
}

}  // namespace deformdiff
