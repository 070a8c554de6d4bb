#include "blocks/layouts/names.h"

#include "blocks/block_list.h"
#include "blocks/layouts/inference.h"
#include "blocks/layouts/parameters.h"
#include "blocks/small_case_test.h"
#include "core/view.h"

#include <numeric>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr Layout kLayouts[] = {Layout::kHuggingface, Layout::kMmdet, Layout::kFacebook};

/// 0, 1, 2, ..
Tensor counting(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  std::iota(values.begin(), values.end(), 0.0F);
  return Tensor::of<float>(DType::kFloat32, shape, values);
}

/// The case's parameters as a framework stores them; self-attention's packed where it packs them.
std::map<std::string, Tensor> their_parameters(const LayoutNames& names, const Case& c) {
  std::map<std::string, Tensor> theirs;
  for (const NamedTensor& input : c.inputs) {
    if (!input.name.starts_with("param.")) continue;
    const std::optional<std::string> name = names.their_parameter(input.name.substr(6));
    EXPECT_TRUE(name) << input.name;
    if (!name) continue;
    Shape shape = input.tensor.shape();
    if (names.parameters(*name).size() == 3) shape[0] *= 3;
    theirs.emplace(*name, counting(shape));
  }
  return theirs;
}

TEST(Layout, NamesAreThoseOfFiles) {
  for (const Layout layout : kLayouts) EXPECT_EQ(layout_from_name(name_of(layout)), layout);
  EXPECT_FALSE(layout_from_name("keras"));
}

TEST(Layout, EveryParameterOfEveryBlockGoesThereAndBack) {
  for (const Layout layout : kLayouts) {
    for (const BlockDefinition* block : deep_blocks()) {
      SCOPED_TRACE(std::string(name_of(layout)) + " " + block->name());
      const Case c = small_case(*block);
      const LayoutNames names(layout, *block, c.attributes);
      for (const std::string prefix : {"", "module.sem_seg_head."}) {
        std::map<std::string, Tensor> theirs;
        for (const auto& [name, tensor] : their_parameters(names, c)) theirs.emplace(prefix + name, tensor);
        const CanonicalParameters ours = canonical_parameters(layout, *block, theirs, c.attributes);
        if (!theirs.empty()) {
          EXPECT_EQ(ours.prefix, prefix);
        }
        Case again = c;
        std::erase_if(again.inputs,
                      [](const NamedTensor& input) { return input.name.starts_with("param."); });
        again.inputs.insert(again.inputs.end(), ours.tensors.begin(), ours.tensors.end());
        EXPECT_EQ(refusal([&] { block->validate(again); }), "");
        EXPECT_EQ(again.inputs.size(), c.inputs.size());
      }
    }
  }
}

TEST(Layout, PartsOfAHeadLieUnderAnyAttribute) {
  const BlockDefinition& block = *find_block_definition("mask2former_head");
  const Case c = small_case(block);
  const LayoutNames names(Layout::kHuggingface, block, c.attributes);
  const std::pair<std::string, std::string> parts[] = {{"model.pixel_level_module.decoder.", "outer.pix."},
                                                       {"model.transformer_module.", "outer.tm."},
                                                       {"class_predictor.", "outer.cls."}};
  const auto renamed = their_parameters(names, c);
  std::map<std::string, Tensor> theirs;
  for (const auto& [name, tensor] : renamed) {
    for (const auto& [framework, own] : parts) {
      if (name.starts_with(framework)) theirs.emplace(own + name.substr(framework.size()), tensor);
    }
  }
  ASSERT_EQ(theirs.size(), renamed.size());
  const CanonicalParameters ours = canonical_parameters(Layout::kHuggingface, block, theirs, c.attributes);
  EXPECT_EQ(ours.tensors.size(), renamed.size());
  EXPECT_EQ(ours.prefix, "outer.");
  EXPECT_EQ(unwrapped(ours, "pix.adapter_1.0"), "model.pixel_level_module.decoder.adapter_1.0");
  EXPECT_EQ(unwrapped(ours, "cls.weight"), "class_predictor.weight");
}

TEST(Layout, EveryStageThatTheyHaveGoesThereAndBack) {
  for (const Layout layout : kLayouts) {
    for (const BlockDefinition* block : deep_blocks()) {
      SCOPED_TRACE(std::string(name_of(layout)) + " " + block->name());
      const Case c = small_case(*block);
      const LayoutNames names(layout, *block, c.attributes);
      int known = 0;
      for (const OutputSpec& stage : block->stage_values(c)) {
        const std::optional<std::string> theirs = names.their_stage(stage.name);
        if (!theirs) continue;
        ++known;
        const std::optional<LayoutEntry> back = names.stage(*theirs);
        ASSERT_TRUE(back) << *theirs;
        // One of theirs may stand for two of ours with the same numbers.
        if (back->ours != stage.name) {
          EXPECT_TRUE(stage.name.ends_with("self_attn.out_proj")) << stage.name;
        }
      }
      EXPECT_GT(known, 0);
    }
  }
}

TEST(Layout, PackedProjectionsAreTakenApart) {
  const BlockDefinition& block = *find_block_definition("decoder_layer");
  const Case c = small_case(block);
  for (const Layout layout : {Layout::kMmdet, Layout::kFacebook}) {
    const LayoutNames names(layout, block, c.attributes);
    const CanonicalParameters ours =
        canonical_parameters(layout, block, their_parameters(names, c), c.attributes);
    std::map<std::string, Tensor> by_name;
    for (const NamedTensor& tensor : ours.tensors) by_name.emplace(tensor.name, tensor.tensor);
    const Tensor packed = counting({24, 8});
    EXPECT_EQ(by_name.at("param.self_attn.q_proj.weight"), rearranged(packed, {narrow(0, 0, 8)}));
    EXPECT_EQ(by_name.at("param.self_attn.k_proj.weight"), rearranged(packed, {narrow(0, 8, 8)}));
    EXPECT_EQ(by_name.at("param.self_attn.v_proj.weight"), rearranged(packed, {narrow(0, 16, 8)}));
    EXPECT_EQ(by_name.at("param.self_attn.v_proj.bias"), rearranged(counting({24}), {narrow(0, 16, 8)}));
    EXPECT_EQ(by_name.at("param.cross_attn.in_proj_weight"), packed);
  }
}

TEST(Layout, UnknownAndMissingParametersAreAllListed) {
  const BlockDefinition& block = *find_block_definition("encoder_layer");
  const Case c = small_case(block);
  const LayoutNames names(Layout::kFacebook, block, c.attributes);
  std::map<std::string, Tensor> theirs;
  for (const auto& [name, tensor] : their_parameters(names, c)) theirs.emplace("layer." + name, tensor);
  theirs.erase("layer.norm1.weight");
  theirs.erase("layer.linear2.bias");
  theirs.emplace("layer.gamma", counting({1}));
  theirs.emplace("other", counting({1}));
  EXPECT_EQ(refusal([&] { canonical_parameters(Layout::kFacebook, block, theirs, c.attributes); }),
            "block encoder_layer: parameters by facebook's names: unknown: layer.gamma, other; missing: "
            "layer.linear2.bias, layer.norm1.weight");
}

TEST(Layout, ParametersOfLayersBeyondThoseAskedForAreUnknown) {
  const BlockDefinition& block = *find_block_definition("pixel_decoder_encoder");
  const Case c = small_case(block);
  const LayoutNames names(Layout::kMmdet, block, c.attributes);
  Attributes one = c.attributes;
  one["num_encoder_layers"] = 1;
  const std::string text =
      refusal([&] { canonical_parameters(Layout::kMmdet, block, their_parameters(names, c), one); });
  EXPECT_NE(text.find("unknown: layers.1.ffn.layers.0.0.bias"), std::string::npos) << text;
  EXPECT_EQ(text.find("missing"), std::string::npos) << text;
}

TEST(Layout, OneParameterUnderTwoNamesIsRefused) {
  const BlockDefinition& block = *find_block_definition("transformer_decoder");
  const Case c = small_case(block);
  const LayoutNames names(Layout::kFacebook, block, c.attributes);
  std::map<std::string, Tensor> theirs = their_parameters(names, c);
  theirs.emplace("static_query.weight", theirs.at("query_feat.weight"));
  EXPECT_NE(refusal([&] {
              canonical_parameters(Layout::kFacebook, block, theirs, c.attributes);
            }).find("given twice"),
            std::string::npos);
}

TEST(Layout, StagesAreThoseOfTheSameNumbers) {
  const BlockDefinition& head = *find_block_definition("mask2former_head");
  const LayoutNames mmdet(Layout::kMmdet, head, {}), facebook(Layout::kFacebook, head, {});
  const std::string decoder = "model.transformer_module.decoder.";
  const std::string pixels = "model.pixel_level_module.decoder.";
  // MMDetection's attentions put out the sum with the residual.
  EXPECT_EQ(mmdet.stage("transformer_decoder.layers.3.self_attn")->ours,
            decoder + "layers.3.self_attn_residual");
  EXPECT_EQ(mmdet.stage("transformer_decoder.layers.3.self_attn")->how, Rearrangement::kSwapped);
  EXPECT_EQ(mmdet.stage("pixel_decoder.encoder.layers.1.ffn")->ours,
            pixels + "encoder.layers.1.ffn_residual");
  EXPECT_EQ(mmdet.stage("mask_probabilities#2")->how, Rearrangement::kOneForEachHead);
  EXPECT_EQ(facebook.stage("predictor.mask_embed.activation#7")->ours,
            decoder + "mask_predictor.mask_embedder.1.1#3");
  EXPECT_EQ(facebook.stage("predictor.transformer_ffn_layers.2")->ours, decoder + "layers.2");
  EXPECT_EQ(facebook.stage("predictor.transformer_cross_attention_layers.1.memory_mask")->ours,
            decoder + "attention_mask#1");
  EXPECT_FALSE(facebook.stage("predictor.nothing"));
  EXPECT_TRUE(facebook.stages("predictor.nothing").empty());
  const std::vector<LayoutEntry> attention = mmdet.stages("transformer_decoder.layers.0.self_attn.attn");
  ASSERT_EQ(attention.size(), 2U);
  EXPECT_EQ(attention[1].ours, decoder + "layers.0.self_attn.out_proj");
  EXPECT_EQ(attention[1].how, Rearrangement::kSwapped);
  EXPECT_EQ(mmdet.their_stage(decoder + "layernorm#4"), "transformer_decoder.post_norm#4");
  EXPECT_FALSE(mmdet.their_stage(decoder + "multi_stage_positional_embeddings.0"));
}

TEST(Layout, WithPreNormALayerPutsOutASum) {
  const BlockDefinition& layer = *find_block_definition("decoder_layer");
  const LayoutNames post(Layout::kFacebook, layer, {}), pre(Layout::kFacebook, layer, {{"pre_norm", 1}});
  EXPECT_EQ(post.stage("transformer_cross_attention_layers.0")->ours, "cross_attn_layer_norm");
  EXPECT_EQ(pre.stage("transformer_cross_attention_layers.0")->ours, "cross_attn_residual");
  EXPECT_NE(refusal([&] { LayoutNames(Layout::kMmdet, layer, {{"pre_norm", 1}}); }), "");
}

TEST(Layout, InputsAndOutputsHaveTheirNamesAndOurs) {
  const BlockDefinition& attention = *find_block_definition("attention_layer");
  const LayoutNames mmcv(Layout::kMmdet, attention, {});
  EXPECT_EQ(mmcv.input("query")->ours, "hidden_states");
  EXPECT_EQ(mmcv.input("key_padding_mask")->ours, "attention_mask");
  EXPECT_EQ(mmcv.input("spatial_shapes")->ours, "spatial_shapes");
  EXPECT_FALSE(mmcv.input("sausages"));
  EXPECT_EQ(mmcv.their_input("encoder_hidden_states"), "value");
  const BlockDefinition& head = *find_block_definition("mask2former_head");
  const LayoutNames facebook(Layout::kFacebook, head, {});
  EXPECT_EQ(facebook.input("res5")->ours, "features.3");
  EXPECT_EQ(facebook.input("features.0")->ours, "features.0");
  EXPECT_FALSE(facebook.input("res1"));
  EXPECT_EQ(facebook.output("pred_masks")->ours, "masks_queries_logits");
  EXPECT_EQ(facebook.output("masks_queries_logits")->ours, "masks_queries_logits");
  EXPECT_EQ(facebook.their_output("class_queries_logits"), "pred_logits");
  const BlockDefinition& pixels = *find_block_definition("pixel_decoder");
  EXPECT_EQ(LayoutNames(Layout::kHuggingface, pixels, {{"num_levels", 4}}).output_order(),
            (std::vector<std::string>{"mask_features", "multi_scale_features.0", "multi_scale_features.1",
                                      "multi_scale_features.2", "multi_scale_features.3"}));
}

TEST(Layout, TensorsAreRearranged) {
  const auto seen = [](Rearrangement how, const Tensor& theirs, const Shape& ours) {
    return to_ours({"theirs", "ours", how}, theirs, ours);
  };
  const Tensor t = counting({2, 3, 4});
  EXPECT_EQ(seen(Rearrangement::kSwapped, t, {}), rearranged(t, {permute({1, 0, 2})}));
  EXPECT_EQ(seen(Rearrangement::kChannelsInMiddle, t, {}), rearranged(t, {permute({2, 0, 1})}));
  EXPECT_EQ(seen(Rearrangement::kMapToSequence, counting({1, 2, 2, 2}), {}).values<float>()[1], 4);
  const Tensor apart = seen(Rearrangement::kHeadsApart, counting({4, 3, 5}), {2, 3, 10});
  EXPECT_EQ(apart.shape(), (Shape{2, 3, 10}));
  EXPECT_EQ(apart.values<float>()[5], 15);  // the second head's first number
  EXPECT_EQ(seen(Rearrangement::kOneForAllImages, counting({3, 2}), {2, 3, 2}).shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(seen(Rearrangement::kOneForEachHead, counting({4, 3, 6}), {2, 3, 2, 3}).values<float>()[18], 36);
  for (const Rearrangement how :
       {Rearrangement::kMapToSequence, Rearrangement::kHeadsApart, Rearrangement::kFirstThird,
        Rearrangement::kOneForAllImages, Rearrangement::kOneForEachHead}) {
    EXPECT_NE(refusal([&] {
                seen(how, t, {5, 5, 5});
              }).find("theirs: shape [2, 3, 4] found"),
              std::string::npos);
  }
}

TEST(Layout, WhatFollowsFromOtherInputsIsDerived) {
  const BlockDefinition& block = *find_block_definition("attention_layer");
  const Case whole = small_case(block);
  Case c = small_case(block, whole.attributes,
                      [] {
                        Extents extents = small_extents();
                        extents["Q"] = 14;
                        return extents;
                      }(),
                      {"level_start_index", "encoder_hidden_states", "position_embeddings"});
  derive_inputs(block, c.inputs);
  EXPECT_EQ(refusal([&] { block.validate(c); }), "");
  EXPECT_EQ(c.input("level_start_index"), integers({2}, {0, 2}));
  const std::size_t count = c.inputs.size();
  derive_inputs(block, c.inputs);
  EXPECT_EQ(c.inputs.size(), count);
}

}  // namespace
}  // namespace deformdiff
