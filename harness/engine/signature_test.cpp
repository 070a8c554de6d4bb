#include "engine/signature.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(StageFamily, ForgetsTheNumbersOfLayersAndCalls) {
  EXPECT_EQ(stage_family("encoder.layers.3.fc1"), "encoder.layers.*.fc1");
  EXPECT_EQ(stage_family("layers.12"), "layers.*");
  EXPECT_EQ(stage_family("class_predictor#10"), "class_predictor#*");
  EXPECT_EQ(stage_family("layer_1.0"), "layer_1.*");
  EXPECT_EQ(stage_family("fc1"), "fc1");
}

TEST(StageFamily, KeepsWhatOnlyBeginsOrEndsInANumber) {
  EXPECT_EQ(stage_family("layers.3d.fc1"), "layers.3d.fc1");
  EXPECT_EQ(stage_family("3.fc1"), "3.fc1");
  EXPECT_EQ(stage_family("layers.10.11#2"), "layers.*.*#*");
  EXPECT_EQ(stage_family(""), "");
}

Comparison wrong(const std::string& stage, const std::string& element_class) {
  Comparison comparison;
  comparison.verdict = Verdict::kOutOfBound;
  comparison.output = stage;
  comparison.element_class = element_class;
  comparison.violating_classes = {element_class};
  return comparison;
}

TEST(SignatureOf, NamesTheFamilyAndTheClass) {
  EXPECT_EQ(signature_of("block", "cpu", wrong("layers.3.fc1", "border")),
            (Signature{"block", "cpu", "out_of_bound", "layers.*.fc1", "border"}));
  EXPECT_EQ(signature_of("block", "cpu", wrong("", "")),
            (Signature{"block", "cpu", "out_of_bound", "", "structure"}));
}

TEST(Shows, TheSameRuleAndStageFamily) {
  const Signature signature = signature_of("block", "cpu", wrong("layers.3.fc1", "border"));
  EXPECT_TRUE(shows(signature, wrong("layers.0.fc1", "border")));
  EXPECT_FALSE(shows(signature, wrong("layers.3.fc2", "border")));
  Comparison nonfinite = wrong("layers.3.fc1", "border");
  nonfinite.verdict = Verdict::kNonfiniteMismatch;
  EXPECT_FALSE(shows(signature, nonfinite));
}

TEST(Shows, TheClassOfAnyElementThatViolatesTheRule) {
  const Signature border = signature_of("block", "cpu", wrong("output", "border"));
  Comparison comparison = wrong("output", "interior");
  EXPECT_FALSE(shows(border, comparison));
  comparison.violating_classes.insert("border");
  EXPECT_TRUE(shows(border, comparison));
}

TEST(Shows, AFailureOfNoElement) {
  Comparison crash;
  crash.verdict = Verdict::kCrashed;
  const Signature signature = signature_of("block", "cpu", crash);
  EXPECT_TRUE(shows(signature, crash));
  EXPECT_FALSE(shows(signature, wrong("", "interior")));
}

}  // namespace
}  // namespace deformdiff
