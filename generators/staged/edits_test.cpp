#include "generators/staged/edits.h"

#include "blocks/mask2former/attention_layer.h"
#include "blocks/mask2former/mask2former_head.h"
#include "blocks/mask2former/pixel_decoder_encoder.h"
#include "generators/staged/generator.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Tensor counted(Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  std::iota(values.begin(), values.end(), 0.0F);
  return Tensor::of<float>(DType::kFloat32, std::move(shape), values);
}

std::vector<float> elements(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

TEST(Axes, AreProductsOfFactors) {
  const TensorSpec spec{"x", TensorSpec::Kind::kFloating, "B 3*M*D 2"};
  EXPECT_EQ(parse_axes(spec.axes), (std::vector<Factors>{{"B"}, {"3", "M", "D"}, {"2"}}));
  EXPECT_EQ(shape_of(spec, {{"B", 5}, {"M", 2}, {"D", 7}}), (Shape{5, 42, 2}));
  EXPECT_TRUE(has_extent(spec, "M"));
  EXPECT_FALSE(has_extent(spec, "L"));
}

TEST(Axes, GatherTakesAFactorOfAnAxis) {
  const TensorSpec spec{"x", TensorSpec::Kind::kFloating, "2*M*D"};
  const Tensor kept = gather(counted({12}), spec, {{"M", 3}, {"D", 2}}, "M", {0, 2});
  EXPECT_EQ(kept.shape(), (Shape{8}));
  EXPECT_EQ(elements(kept), (std::vector<float>{0, 1, 4, 5, 6, 7, 10, 11}));
}

TEST(Axes, GatherTakesBothAxesOfASquareMatrix) {
  const TensorSpec spec{"x", TensorSpec::Kind::kFloating, "D D"};
  const Tensor kept = gather(counted({3, 3}), spec, {{"D", 3}}, "D", {0, 2});
  EXPECT_EQ(kept.shape(), (Shape{2, 2}));
  EXPECT_EQ(elements(kept), (std::vector<float>{0, 2, 6, 8}));
}

TEST(Axes, GatherRefusesWhatIsNotThere) {
  const TensorSpec spec{"x", TensorSpec::Kind::kFloating, "B D"};
  EXPECT_THROW(gather(counted({3, 2}), spec, {{"B", 3}, {"D", 2}}, "B", {3}), InternalError);
}

TEST(Axes, GatherOfNothingIsEmpty) {
  const TensorSpec spec{"x", TensorSpec::Kind::kFloating, "B D"};
  EXPECT_EQ(gather(counted({3, 2}), spec, {{"B", 3}, {"D", 2}}, "B", {}).shape(), (Shape{0, 2}));
}

/// A case with at least `layers` layers and `levels` levels.
template <typename Wanted>
Draft find_draft(const BlockDefinition& block, const Generator& generator, Wanted wanted) {
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Case c = generator.generate(1, {"typical"}, i);
    if (wanted(c)) return draft_of(block, c);
  }
  throw InternalError("no such case");
}

TEST(DeepEdits, LevelsTakeTheirRowsAlong) {
  const Draft draft = find_draft(
      pixel_decoder_encoder::block(), DeepGenerator(pixel_decoder_encoder::block()),
      [](const Case& c) { return c.input("inputs_embeds").dim(0) == 1 && element_count(c) < 20000; });
  std::vector<Crop> crops = whole_levels(draft);
  ASSERT_EQ(crops.size(), 3U);
  const std::int64_t start = crops[0].height * crops[0].width;
  crops = {crops[1]};
  crops[0].left = 1;
  crops[0].width -= 1;
  const Draft kept = keep_levels(draft, crops);
  ASSERT_NO_THROW(draft.block->validate(kept.dense));
  EXPECT_EQ(kept.dense.attribute("num_levels"), 1);
  const Tensor& rows = kept.dense.input("inputs_embeds");
  EXPECT_EQ(rows.dim(1), crops[0].height * crops[0].width);
  const Tensor& old = draft.dense.input("inputs_embeds");
  EXPECT_EQ(rows.element(0), old.element((start + 1) * old.dim(2)));
}

TEST(DeepEdits, LayersAreNumberedAnew) {
  const Draft draft =
      find_draft(mask2former_head::block(), DeepGenerator(mask2former_head::block()), [](const Case& c) {
        return c.attribute("num_encoder_layers") == 2 && c.attribute("num_decoder_layers") == 3;
      });
  for (const LayerStack& stack : layer_stacks(draft)) {
    const Draft kept = keep_layers(draft, stack, {stack.count - 1});
    ASSERT_NO_THROW(draft.block->validate(kept.dense)) << stack.prefix;
    EXPECT_EQ(kept.dense.input(stack.prefix + ".0.fc1.weight"),
              draft.dense.input(stack.prefix + "." + std::to_string(stack.count - 1) + ".fc1.weight"));
  }
  EXPECT_EQ(layer_stacks(draft).size(), 2U);
}

TEST(DeepEdits, MapsAreNumberedAnew) {
  const Draft draft = find_draft(mask2former_head::block(), DeepGenerator(mask2former_head::block()),
                                 [](const Case& c) { return c.attribute("num_levels") == 3; });
  ASSERT_EQ(map_count(draft), 3);
  const Draft kept = keep_maps(draft, {0, 2});
  ASSERT_NO_THROW(draft.block->validate(kept.dense));
  EXPECT_EQ(kept.dense.input("features.0"), draft.dense.input("features.0"));
  EXPECT_EQ(kept.dense.input("features.1"), draft.dense.input("features.1"));
  EXPECT_EQ(kept.dense.input("features.2"), draft.dense.input("features.3"));
  const std::string module = "param.model.pixel_level_module.decoder.input_projections.";
  EXPECT_EQ(kept.dense.input(module + "1.0.weight"), draft.dense.input(module + "2.0.weight"));
}

TEST(DeepEdits, LengthFirstBecomesBatchFirst) {
  const BlockDefinition& block = attention_layer::block();
  Case c{"attention_layer", block.default_attributes(), {}, {}};
  c.attributes["num_heads"] = c.attributes["num_levels"] = c.attributes["num_points"] = 1;
  c.attributes["batch_first"] = 0;
  const Extents extents{{"B", 2}, {"Q", 3}, {"S", 2}, {"M", 1}, {"D", 2}, {"L", 1}, {"P", 1}, {"R", 2}};
  for (const TensorSpec& spec : block.tensors(c.attributes)) {
    if (spec.kind == TensorSpec::Kind::kBool) continue;
    Tensor tensor = counted(shape_of(spec, extents));
    if (spec.name == "spatial_shapes") {
      tensor = Tensor::of<std::int64_t>(DType::kInt64, {1, 2}, std::vector<std::int64_t>{1, 2});
    } else if (spec.name == "level_start_index") {
      tensor = Tensor::of<std::int64_t>(DType::kInt64, {1}, std::vector<std::int64_t>{0});
    }
    c.inputs.push_back({spec.name, tensor});
  }
  ASSERT_NO_THROW(block.validate(c));
  const Draft changed = with_attribute(draft_of(block, c), "batch_first", 1);
  ASSERT_NO_THROW(block.validate(changed.dense));
  EXPECT_EQ(elements(changed.dense.input("hidden_states")),
            (std::vector<float>{0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11}));
}

}  // namespace
}  // namespace deformdiff
