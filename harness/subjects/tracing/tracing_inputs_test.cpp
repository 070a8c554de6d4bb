// What each block is traced on: every size that a trace must follow is another, and sizes agree.
#include "subjects/tracing/tracing_inputs.h"

#include "subjects/mask2former/blocks.h"
#include "subjects/mask2former/test_calls.h"

#include <map>

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

/// Of the inputs that are no parameters.
Shapes traced_shapes(const TestCall& test, TracingSizes sizes) {
  const Call call = test();
  const std::vector<at::Tensor> inputs = tracing_inputs(call, sizes);
  EXPECT_EQ(inputs.size(), call.inputs.size());
  Shapes shapes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (call.names[i].starts_with("param.")) {
      EXPECT_TRUE(inputs[i].is_same(call.inputs[i])) << call.names[i];
    } else {
      shapes.emplace(call.names[i], inputs[i].sizes().vec());
      EXPECT_EQ(inputs[i].scalar_type(), call.inputs[i].scalar_type()) << call.names[i];
    }
  }
  return shapes;
}

/// Of a test call with two images and a mask: 48 pixels on 2x3, 3x4 and 5x6 become 58 on 4x2, 5x3 and 7x5.
const std::map<std::string, Shapes>& other_shapes() {
  static const std::map<std::string, Shapes> blocks{
      {"attention_layer",
       {{"hidden_states", {1, 8, 8}},
        {"position_embeddings", {1, 8, 8}},
        {"reference_points", {1, 8, 3, 2}},
        {"spatial_shapes", {3, 2}},
        {"level_start_index", {3}},
        {"encoder_hidden_states", {1, 58, 8}},
        {"attention_mask", {1, 58}}}},
      {"encoder_layer",
       {{"hidden_states", {1, 58, 8}},
        {"position_embeddings", {1, 58, 8}},
        {"reference_points", {1, 58, 3, 2}},
        {"spatial_shapes", {3, 2}},
        {"level_start_index", {3}},
        {"attention_mask", {1, 58}}}},
      {"pixel_decoder_encoder",
       {{"inputs_embeds", {1, 58, 8}},
        {"position_embeddings", {1, 58, 8}},
        {"valid_ratios", {1, 3, 2}},
        {"spatial_shapes", {3, 2}},
        {"level_start_index", {3}},
        {"attention_mask", {1, 58}}}},
      {"pixel_decoder",
       {{"features.0", {1, 2, 13, 9}},
        {"features.1", {1, 3, 7, 5}},
        {"features.2", {1, 4, 5, 3}},
        {"features.3", {1, 5, 4, 2}}}},
      {"mask2former_head",
       {{"features.0", {1, 2, 13, 9}},
        {"features.1", {1, 3, 7, 5}},
        {"features.2", {1, 4, 5, 3}},
        {"features.3", {1, 5, 4, 2}}}},
      {"decoder_layer",
       {{"hidden_states", {8, 1, 8}},
        {"query_position_embeddings", {8, 1, 8}},
        {"encoder_hidden_states", {13, 1, 8}},
        {"position_embeddings", {13, 1, 8}},
        {"attention_mask", {2, 8, 13}}}},
      {"mask_predictor",
       {{"hidden_states", {8, 1, 8}}, {"pixel_embeddings", {1, 6, 13, 9}}, {"target_size", {2}}}},
      {"transformer_decoder",
       {{"multi_scale_features.0", {1, 8, 4, 2}},
        {"multi_scale_features.1", {1, 8, 5, 3}},
        {"multi_scale_features.2", {1, 8, 7, 5}},
        {"mask_features", {1, 6, 13, 9}}}},
      {"position_embedding", {{"spatial_shape", {2}}, {"mask", {1, 6, 4}}}},
      {"reference_points", {{"spatial_shapes", {3, 2}}, {"valid_ratios", {1, 3, 2}}}},
  };
  return blocks;
}

class EachBlocksTracingInputs : public testing::TestWithParam<std::string> {};

TEST_P(EachBlocksTracingInputs, HaveOtherSizesWhereATraceMustFollow) {
  ASSERT_TRUE(other_shapes().contains(GetParam())) << "other_shapes() has no " << GetParam();
  EXPECT_EQ(traced_shapes(test_call(GetParam()), TracingSizes::kOther), other_shapes().at(GetParam()));
}

TEST_P(EachBlocksTracingInputs, AreOfOneImageOrOfTheSameSizes) {
  const TestCall call = test_call(GetParam());
  const TestCall single = test_call(GetParam(), 1);
  for (const auto& [name, shape] : traced_shapes(call, TracingSizes::kSame)) {
    EXPECT_EQ(call().input(name).sizes(), shape) << name;
  }
  EXPECT_EQ(traced_shapes(call, TracingSizes::kBatchOfOne), traced_shapes(single, TracingSizes::kSame));
  // One image is traced as two.
  for (const auto& [name, shape] : traced_shapes(single, TracingSizes::kOther)) {
    std::int64_t elements = 1, of_one = 1;
    for (const std::int64_t extent : shape) elements *= extent;
    for (const std::int64_t extent : other_shapes().at(GetParam()).at(name)) of_one *= extent;
    const bool sizes =
        name.starts_with("spatial_shape") || name == "target_size" || name == "level_start_index";
    EXPECT_EQ(elements, sizes ? of_one : 2 * of_one) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Mask2Former, EachBlocksTracingInputs, testing::ValuesIn(mask2former::block_names()),
                         [](const auto& info) { return info.param; });

TEST(TracingInputs, MapsAreTransposedAndLevelsFollow) {
  const TestCall call = test_call("pixel_decoder");
  EXPECT_EQ(traced_shapes(call, TracingSizes::kTransposed).at("features.0"),
            (std::vector<std::int64_t>{2, 2, 12, 9}));
  TestCall layer = test_call("encoder_layer");
  const std::vector<at::Tensor> inputs = tracing_inputs(layer(), TracingSizes::kTransposed);
  const auto input = [&](const std::string& name) {
    const Call whole = layer();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (whole.names[i] == name) return inputs[i];
    }
    return at::Tensor();
  };
  EXPECT_TRUE(at::equal(input("spatial_shapes"), layer.input("spatial_shapes").flip(1)));
  EXPECT_TRUE(at::equal(input("level_start_index"), layer.input("level_start_index")));
  EXPECT_EQ(input("hidden_states").sizes(), layer.input("hidden_states").sizes());
  EXPECT_GE(input("reference_points").min().item<double>(), 0);
  EXPECT_LE(input("reference_points").max().item<double>(), 1);
  EXPECT_LT(input("hidden_states").min().item<double>(), 0);
}

TEST(TracingInputs, LengthMayComeFirst) {
  TestCall call = test_call("attention_layer");
  call.set("batch_first", 0);
  for (const char* name : {"hidden_states", "position_embeddings", "encoder_hidden_states"}) {
    call.input(name) = call.input(name).transpose(0, 1).contiguous();
  }
  Shapes wanted = other_shapes().at("attention_layer");
  for (const char* name : {"hidden_states", "position_embeddings", "encoder_hidden_states"}) {
    std::swap(wanted.at(name)[0], wanted.at(name)[1]);
  }
  EXPECT_EQ(traced_shapes(call, TracingSizes::kOther), wanted);
}

TEST(TracingInputs, LargeMapsAreTracedSmall) {
  TestCall call = test_call("mask_predictor");
  call.input("hidden_states") = random_tensor({65, 2, 8}, at::kDouble, 1, -1, 1);
  call.input("pixel_embeddings") = random_tensor({2, 6, 64, 65}, at::kDouble, 2, -1, 1);
  call.input("target_size")[0] = 1000;
  const Shapes shapes = traced_shapes(call, TracingSizes::kOther);
  EXPECT_EQ(shapes.at("hidden_states"), (std::vector<std::int64_t>{33, 1, 8}));
  EXPECT_EQ(shapes.at("pixel_embeddings"), (std::vector<std::int64_t>{1, 6, 33, 64}));
  EXPECT_EQ(tracing_inputs(call(), TracingSizes::kOther)[2].max().item<std::int64_t>(), 32);
}

/// Its levels may lie anywhere: only the values are others.
TEST(TracingInputs, TheOperatorKeepsItsSizes) {
  const ms_deform_attn::Inputs inputs = test_inputs({});
  TestCall test("ms_deform_attn");
  test.add("value", inputs.value)
      .add("spatial_shapes", inputs.spatial_shapes)
      .add("level_start_index", inputs.level_start_index)
      .add("sampling_loc", inputs.sampling_loc)
      .add("attn_weight", inputs.attn_weight);
  for (const TracingSizes sizes : {TracingSizes::kSame, TracingSizes::kOther, TracingSizes::kTransposed}) {
    const std::vector<at::Tensor> traced = tracing_inputs(test(), sizes);
    EXPECT_TRUE(at::equal(traced[0], -0.5 * inputs.value.roll(1)));
    EXPECT_TRUE(at::equal(traced[1], inputs.spatial_shapes));
    EXPECT_TRUE(at::equal(traced[2], inputs.level_start_index));
    EXPECT_TRUE(at::equal(traced[3], 1 - 0.5 * inputs.sampling_loc.roll(1)));
    EXPECT_TRUE(at::equal(traced[4], -0.5 * inputs.attn_weight.roll(1)));
  }
  test.input("value") = inputs.value.narrow(0, 0, 0);
  EXPECT_EQ(tracing_inputs(test(), TracingSizes::kOther)[0].size(0), 0);
}

TEST(TracingInputs, AnUnknownBlockIsRefused) {
  EXPECT_THROW(tracing_inputs(TestCall("no_such_block")(), TracingSizes::kOther), c10::NotImplementedError);
}

}  // namespace
}  // namespace deformdiff::worker
