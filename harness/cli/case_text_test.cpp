#include "cli/case_text.h"

#include "catalog/catalog.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

Tensor floats(Shape shape, const std::vector<float>& values) {
  return Tensor::of<float>(DType::kFloat32, std::move(shape), std::span<const float>(values));
}

TEST(CaseText, SmallTensorsAreDrawn) {
  EXPECT_EQ(tensor_text("value", floats({2, 1, 2}, {1, -2.5F, 0, 10})),
            "  value  float32 [2, 1, 2]  -2.5 to 10, 1 zero\n"
            "    [0, 0]:    1 -2.5\n"
            "    [1, 0]:    0   10\n");
  EXPECT_EQ(tensor_text("one", floats({1}, {3})), "  one  float32 [1]  all 3\n");
  EXPECT_EQ(tensor_text("none", floats({0, 2}, {})), "  none  float32 [0, 2]  empty\n");
}

TEST(CaseText, WhatIsSpecialAmongNumbersIsCounted) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(tensor_text("x", floats({3}, {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()})),
            "  x  float32 [3]  1 NaN, 2 infinite\n      inf -inf  nan\n");
  const std::vector<float> many(kShownElements + 1, 0);
  EXPECT_EQ(tensor_text("x", floats({kShownElements + 1}, many)), "  x  float32 [65]  all 0\n");
  const Tensor whole = floats({2, 2}, {1, 2, 3, 4});
  const Tensor turned(DType::kFloat32, {2, 2}, {1, 2}, 0, whole.shared_storage());
  EXPECT_EQ(tensor_text("x", turned),
            "  x  float32 [2, 2]  1 to 4, strides [1, 2]\n    [0]: 1 3\n    [1]: 2 4\n");
}

TEST(CaseText, SaysSizesAndTriggers) {
  const BlockEntry& entry = find_block("ms_deform_attn");
  const Case c = entry.generator->generate(1, {"exact"}, 5);
  const std::string text = case_text(entry, c);
  EXPECT_NE(text.find("block       ms_deform_attn\n"), std::string::npos) << text;
  EXPECT_NE(text.find("tier exact, seed 1, index 5"), std::string::npos) << text;
  for (const std::string& trigger : entry.generator->triggers_hit(c)) {
    EXPECT_NE(text.find(trigger), std::string::npos) << trigger;
  }
  for (const NamedTensor& input : c.inputs) {
    EXPECT_NE(text.find("\n  " + input.name + "  "), std::string::npos) << input.name;
  }
}

}  // namespace
}  // namespace deformdiff::cli
