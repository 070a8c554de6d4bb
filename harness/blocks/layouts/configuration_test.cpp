#include "blocks/layouts/configuration.h"

#include "blocks/block_list.h"
#include "blocks/layouts/inference.h"
#include "blocks/small_case_test.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

const BlockDefinition& block_of(const char* name) {
  return *find_block_definition(name);
}

Attributes read(const char* block, Layout layout, const char* text) {
  return attributes_from_config(layout, block_of(block), parse_strict_json(text, "test"));
}

std::string refused(const char* block, Layout layout, const char* text) {
  return refusal([&] { read(block, layout, text); });
}

TEST(Configuration, KeysAreAttributes) {
  EXPECT_EQ(
      read("pixel_decoder", Layout::kHuggingface,
           R"({"num_heads": 4, "embed_dims": 64, "eps": 1e-6, "position_normalize": true, "norm": "post"})"),
      (Attributes{{"num_heads", 4}, {"eps", 1e-6}, {"position_normalize", 1}}));
  EXPECT_EQ(read("decoder_layer", Layout::kHuggingface, R"({"norm": "pre", "batch_first": false})"),
            (Attributes{{"pre_norm", 1}}));
  EXPECT_EQ(read("decoder_layer", Layout::kFacebook, R"({"activation": "gelu"})"), (Attributes{{"gelu", 1}}));
  EXPECT_EQ(
      read("mask2former_head", Layout::kMmdet,
           R"({"norm": "post", "encoder_norm": "post", "decoder_batch_first": true, "batch_first": true})"),
      (Attributes{{"pre_norm", 0}}));
  EXPECT_EQ(read("attention_layer", Layout::kMmdet, R"({"batch_first": false, "residual_inside": true})"),
            (Attributes{{"batch_first", 0}, {"residual_inside", 1}}));
}

TEST(Configuration, OfTheOperatorAndItsBackwardThereIsTheStepAlone) {
  for (const char* block : {"ms_deform_attn", "ms_deform_attn_backward"}) {
    EXPECT_EQ(read(block, Layout::kHuggingface, R"({"im2col_step": 3, "num_heads": 4, "of the layer": 1})"),
              (Attributes{{"im2col_step", 3}}));
  }
}

TEST(Configuration, WhatIsNotImplementedIsRefusedByName) {
  EXPECT_EQ(refused("encoder_layer", Layout::kHuggingface, R"({"activation": "gelu"})"),
            "block encoder_layer: configuration: activation is \"gelu\"; only \"relu\" is implemented");
  EXPECT_NE(
      refused("pixel_decoder", Layout::kHuggingface, R"({"align_corners": true})").find("align_corners"),
      std::string::npos);
  EXPECT_NE(
      refused("pixel_decoder", Layout::kHuggingface, R"({"interpolation": "nearest"})").find("interpolation"),
      std::string::npos);
  EXPECT_NE(
      refused("attention_layer", Layout::kHuggingface, R"({"padding_mode": "border"})").find("padding_mode"),
      std::string::npos);
  EXPECT_NE(refused("encoder_layer", Layout::kHuggingface, R"({"norm": "pre"})").find("norm"),
            std::string::npos);
  EXPECT_NE(refused("decoder_layer", Layout::kHuggingface, R"({"norm": "none"})").find("norm"),
            std::string::npos);
  EXPECT_NE(refused("decoder_layer", Layout::kHuggingface, R"({"batch_first": true})").find("batch_first"),
            std::string::npos);
  EXPECT_NE(refused("encoder_layer", Layout::kHuggingface, R"({"reference": "boxes"})").find("reference"),
            std::string::npos);
  EXPECT_NE(refused("encoder_layer", Layout::kHuggingface, R"({"eps": "small"})").find("a number wanted"),
            std::string::npos);
  EXPECT_NE(refused("encoder_layer", Layout::kHuggingface, "[]").find("an object wanted"), std::string::npos);
  EXPECT_EQ(refused("encoder_layer", Layout::kHuggingface, R"({"num_haeds": 4, "colour": 1})"),
            "block encoder_layer: configuration: keys that mean nothing here: num_haeds, colour");
}

TEST(Configuration, HuggingFacesOwnIsUnderstood) {
  const char* config = R"({"model_type": "mask2former", "num_attention_heads": 8, "encoder_layers": 6,
    "decoder_layers": 10, "pre_norm": false, "activation_function": "relu", "hidden_dim": 256, "num_queries": 100,
    "common_stride": 4, "dropout": 0.0, "backbone_config": {"depths": [2, 2]}})";
  EXPECT_EQ(read("mask2former_head", Layout::kHuggingface, config), (Attributes{{"num_heads", 8},
                                                                                {"num_encoder_layers", 6},
                                                                                {"num_decoder_layers", 9},
                                                                                {"pre_norm", 0},
                                                                                {"gelu", 0}}));
  EXPECT_NE(
      refused("mask2former_head", Layout::kHuggingface, R"({"model_type": "maskformer"})").find("model_type"),
      std::string::npos);
  EXPECT_NE(refused("mask2former_head", Layout::kHuggingface,
                    R"({"encoder_layers": 6, "activation_function": "silu"})")
                .find("activation_function"),
            std::string::npos);
  EXPECT_EQ(
      read("decoder_layer", Layout::kHuggingface, R"({"encoder_layers": 6, "activation_function": "gelu"})"),
      (Attributes{{"gelu", 1}}));
  EXPECT_EQ(
      read("encoder_layer", Layout::kHuggingface, R"({"encoder_layers": 6, "activation_function": "gelu"})"),
      Attributes{});
}

TEST(Configuration, OneFormersAndDeformableDetrsOwnAreReadForTheirParts) {
  const char* one = R"({"model_type": "oneformer", "num_attention_heads": 8, "encoder_layers": 6,
    "decoder_layers": 10, "common_stride": 4, "pre_norm": false, "use_task_norm": true, "text_encoder_width": 256,
    "backbone_config": {"depths": [2, 2]}})";
  EXPECT_EQ(read("pixel_decoder", Layout::kHuggingface, one),
            (Attributes{{"num_heads", 8}, {"num_encoder_layers", 6}}));
  EXPECT_NE(refused("mask2former_head", Layout::kHuggingface, one).find("pixel_decoder"), std::string::npos);
  const char* detr = R"({"model_type": "deformable_detr", "encoder_attention_heads": 8, "encoder_layers": 6,
    "decoder_layers": 6, "num_feature_levels": 4, "encoder_n_points": 4, "decoder_attention_heads": 4,
    "activation_function": "relu", "d_model": 256, "two_stage": false, "position_embedding_type": "sine"})";
  EXPECT_EQ(read("attention_layer", Layout::kHuggingface, detr),
            (Attributes{{"num_heads", 8}, {"num_levels", 4}, {"num_points", 4}}));
  const Attributes positions = read("position_embedding", Layout::kHuggingface, detr);
  EXPECT_EQ(positions.at("num_position_features"), 128);
  EXPECT_EQ(positions.at("position_offset"), -0.5);
  const Json config = parse_strict_json(detr, "test");
  EXPECT_EQ(extents_from_config(block_of("attention_layer"), config).at("L"), 4);
  EXPECT_NE(refused("pixel_decoder", Layout::kHuggingface, detr).find("encoder_layer"), std::string::npos);
  EXPECT_NE(refused("encoder_layer", Layout::kHuggingface,
                    R"({"model_type": "deformable_detr", "activation_function": "gelu"})")
                .find("activation_function"),
            std::string::npos);
}

std::map<std::string, Shape> shapes_of(const Case& c) {
  std::map<std::string, Shape> shapes;
  for (const NamedTensor& input : c.inputs) shapes.emplace(input.name, input.tensor.shape());
  return shapes;
}

TEST(Inference, ShapesTellAllButTheHeads) {
  for (const BlockDefinition* block : deep_blocks()) {
    SCOPED_TRACE(block->name());
    const Case c = small_case(*block);
    if (!c.attributes.contains("num_heads")) continue;
    const Inference without = infer_attributes(Layout::kHuggingface, *block, shapes_of(c), {});
    EXPECT_EQ(without.unknown, std::vector<std::string>{"num_heads"});
    Attributes known{{"num_heads", 2}};
    if (c.attributes.contains("group_norm_groups")) known["group_norm_groups"] = 4;
    const Inference with = infer_attributes(Layout::kHuggingface, *block, shapes_of(c), known);
    EXPECT_TRUE(with.unknown.empty());
    EXPECT_EQ(with.attributes, c.attributes);
  }
}

TEST(Inference, HeadsFollowFromLevelsAndPoints) {
  const BlockDefinition& block = block_of("attention_layer");
  const Inference found = infer_attributes(Layout::kHuggingface, block, shapes_of(small_case(block)),
                                           {{"num_levels", 2}, {"num_points", 3}});
  EXPECT_TRUE(found.unknown.empty());
  EXPECT_EQ(found.attributes.at("num_heads"), 2);
}

TEST(Inference, WithoutInputsAnAttentionLayersLevelsAreAskedFor) {
  const BlockDefinition& block = block_of("attention_layer");
  std::map<std::string, Shape> parameters = shapes_of(small_case(block));
  std::erase_if(parameters, [](const auto& entry) { return !entry.first.starts_with("param."); });
  EXPECT_EQ(infer_attributes(Layout::kHuggingface, block, parameters, {}).unknown,
            (std::vector<std::string>{"num_heads", "num_levels"}));
  EXPECT_EQ(
      infer_attributes(Layout::kMmdet, block, parameters, {{"num_heads", 2}, {"num_levels", 2}}).unknown,
      std::vector<std::string>{"batch_first"});
}

TEST(Inference, MmcvsAttentionAddsTheResidual) {
  const BlockDefinition& block = block_of("attention_layer");
  Attributes attributes = small_attributes(block);
  attributes["batch_first"] = 0;
  const Case c = small_case(block, attributes);
  const Inference found = infer_attributes(Layout::kMmdet, block, shapes_of(c), {{"num_heads", 2}});
  EXPECT_EQ(found.attributes.at("residual_inside"), 1);
  EXPECT_EQ(found.attributes.at("batch_first"), 0);
  EXPECT_EQ(found.attributes.at("num_points"), 3);
}

}  // namespace
}  // namespace deformdiff
