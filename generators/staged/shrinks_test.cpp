#include "generators/staged/shrinks.h"

#include "engine/reducer.h"
#include "generators/staged/every_block_test.h"
#include "generators/staged/simplicity.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace deformdiff {
namespace {

std::string describe(const Case& c) {
  std::string text;
  for (const auto& [name, value] : c.attributes) text += fmt::format("{}={} ", name, value);
  for (const NamedTensor& input : c.inputs) {
    text += fmt::format("\n  {} {}:", input.name, to_string(input.tensor.shape()));
    for (std::int64_t i = 0; i < std::min<std::int64_t>(input.tensor.elements(), 12); ++i) {
      text += fmt::format(" {}", input.tensor.element(i));
    }
  }
  return text;
}

using Fails = std::function<bool(const Case&)>;

class EveryDeepBlock : public EveryBlock {
 protected:
  /// The first case of a stream that fails, of at least so many elements.
  Case failing(const Fails& fails, std::int64_t elements) const {
    for (std::uint64_t i = 0; i < 3000; ++i) {
      Case c = generator().generate(5, {}, i);
      if (element_count(c) >= elements && element_count(c) < 200000 && fails(c)) return c;
    }
    throw InternalError("no case fails");
  }

  Reduction reduced(const Case& original, const Fails& fails) const {
    return reduce({original}, deep_shrink_stream(block()),
                  [&](const Calls& calls) { return fails(calls.back()); }, {60, 3000}, {});
  }
};

INSTANTIATE_TEST_SUITE_P(DeepShrinks, EveryDeepBlock, testing::ValuesIn(every_generator()), name_of_block);

TEST_P(EveryDeepBlock, EveryCandidateIsValidAndSimpler) {
  const Shrinks shrinks = deep_shrink_stream(block());
  std::int64_t candidates = 0;
  for (std::uint64_t index = 0; index < 50; ++index) {
    const Case c = generator().generate(6, {}, index);
    if (element_count(c) > 3000) continue;
    CaseStream stream = shrinks(c);
    for (int tried = 0; tried < 300; ++tried, ++candidates) {
      const std::optional<Case> next = stream();
      if (!next) break;
      if (tried % 3 != 0) continue;
      ASSERT_NO_THROW(block().validate(*next));
      ASSERT_EQ(block().compute_dtype(*next), block().compute_dtype(c));
      ASSERT_TRUE(is_simpler(block(), *next, c)) << "case " << index << ", candidate " << tried << "\n"
                                                 << describe(c) << "\nbecame\n"
                                                 << describe(*next);
    }
  }
  EXPECT_GT(candidates, 300);
}

TEST_P(EveryDeepBlock, WithoutAConditionNothingIsLeft) {
  const Case original = failing([](const Case& c) { return c.provenance.tier == "typical"; }, 1);
  const Reduction result = reduced(original, [](const Case&) { return true; });
  EXPECT_TRUE(result.minimal);
  EXPECT_LE(result.evaluations, 120);
  for (const NamedTensor& input : result.smallest.back().inputs) {
    EXPECT_TRUE(input.tensor.is_contiguous());
    if (input.tensor.dtype() == DType::kInt64) continue;
    EXPECT_LE(input.tensor.elements(), 4 * 4 * 9) << input.name;
    for (std::int64_t i = 0; i < input.tensor.elements(); ++i) EXPECT_EQ(input.tensor.element(i), 0);
  }
  RecordProperty("evaluations", static_cast<int>(result.evaluations));
  RecordProperty("certificate", static_cast<int>(result.certificate_evaluations));
  RecordProperty("elements", static_cast<int>(element_count(result.smallest.back())));
}

/// Whether a weight of a feed-forward part, of any layer, has an element above 1.
bool has_large_weight(const Case& c) {
  for (const NamedTensor& input : c.inputs) {
    if (!input.name.starts_with("param.") || !input.name.ends_with("fc1.weight")) continue;
    for (std::int64_t i = 0; i < input.tensor.elements(); ++i) {
      if (input.tensor.element(i) > 1) return true;
    }
  }
  return false;
}

TEST_P(EveryDeepBlock, OneLargeElementOfAWeightIsFound) {
  if (block().tensors(block().default_attributes()).size() < 20) GTEST_SKIP() << "has no feed-forward part";
  if (block().name() == "mask_predictor") GTEST_SKIP() << "has no feed-forward part";
  const Case original = failing(has_large_weight, 3000);
  const Reduction result = reduced(original, has_large_weight);
  const std::string text = describe(result.smallest.back());
  EXPECT_LE(result.evaluations, 200) << text;
  EXPECT_LE(element_count(result.smallest.back()), 600) << text;
  EXPECT_TRUE(has_large_weight(result.smallest.back()));
  // All elements are zero but for one, which is 2.
  double sum = 0;
  for (const NamedTensor& input : result.smallest.back().inputs) {
    if (input.tensor.dtype() == DType::kInt64) continue;
    for (std::int64_t i = 0; i < input.tensor.elements(); ++i) sum += std::abs(input.tensor.element(i));
  }
  EXPECT_EQ(sum, 2) << text;
  RecordProperty("from", static_cast<int>(element_count(original)));
  RecordProperty("elements", static_cast<int>(element_count(result.smallest.back())));
  RecordProperty("evaluations", static_cast<int>(result.evaluations));
  RecordProperty("certificate", static_cast<int>(result.certificate_evaluations));
}

TEST_P(EveryDeepBlock, ALayoutThatTheFaultNeedsIsKept) {
  const auto fails = [](const Case& c) {
    std::size_t strided = 0;
    for (const NamedTensor& input : c.inputs) {
      if (!input.tensor.is_contiguous()) ++strided;
    }
    return strided > 0;
  };
  const Reduction result = reduced(failing(fails, 1), fails);
  std::size_t strided = 0;
  for (const NamedTensor& input : result.smallest.back().inputs)
    strided += input.tensor.is_contiguous() ? 0 : 1;
  EXPECT_EQ(strided, 1U);
  EXPECT_LE(result.evaluations, 400);
  RecordProperty("evaluations", static_cast<int>(result.evaluations));
}

}  // namespace
}  // namespace deformdiff
