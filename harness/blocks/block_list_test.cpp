// Every block's stages are well formed: each input exists before it is used, shapes follow from the
// operations' contract (worked out here anew, from stages alone), and outputs are stages.
#include "blocks/block_list.h"

#include "blocks/small_case_test.h"
#include "core/view.h"

#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Inputs = std::map<std::string, Tensor>;

std::int64_t whole(const Stage& stage, const std::string& name) {
  return static_cast<std::int64_t>(stage.attributes.at(name));
}

Shape broadcast(Shape a, Shape b) {
  if (a.size() < b.size()) std::swap(a, b);
  b.insert(b.begin(), a.size() - b.size(), 1);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(a[i] == b[i] || a[i] == 1 || b[i] == 1);
    if (a[i] == 1) a[i] = b[i];
  }
  return a;
}

/// Shape of an operation's result, by oracles/operations/operations.h; checks what its inputs must agree in.
Shape result_shape(const Stage& stage, const Inputs& in) {
  const std::string& op = stage.operation;
  const auto shape = [&in](const char* name) { return in.at(name).shape(); };
  if (op == "add") return broadcast(shape("a"), shape("b"));
  if (op == "linear") {
    Shape x = shape("x");
    const Shape w = shape("weight");
    EXPECT_EQ(w.size(), 2U);
    EXPECT_EQ(x.back(), w[1]);
    EXPECT_EQ(shape("bias"), Shape{w[0]});
    x.back() = w[0];
    return x;
  }
  if (op == "conv2d") {
    const Shape x = shape("x"), w = shape("weight");
    EXPECT_EQ(x.at(1), w.at(1));
    const std::int64_t p = whole(stage, "padding");
    return {x[0], w[0], x[2] + 2 * p - w[2] + 1, x[3] + 2 * p - w[3] + 1};
  }
  if (op == "layer_norm") {
    EXPECT_EQ(shape("weight"), Shape{shape("x").back()});
    EXPECT_TRUE(stage.attributes.contains("eps"));
    return shape("x");
  }
  if (op == "group_norm") {
    EXPECT_EQ(shape("weight"), Shape{shape("x").at(1)});
    EXPECT_EQ(shape("x")[1] % whole(stage, "groups"), 0);
    return shape("x");
  }
  if (op == "mask_rows") {
    if (in.contains("mask")) {
      EXPECT_EQ(shape("mask"), (Shape{shape("x").at(0), shape("x").at(1)}));
    }
    return shape("x");
  }
  if (op == "relu" || op == "softmax" || op == "scale" || op == "sigmoid" || op == "copy") return shape("x");
  if (op == "attention_scores") {
    const Shape q = shape("q"), k = shape("k");
    EXPECT_EQ(q.at(0), k.at(0));
    EXPECT_EQ(q.at(2), k.at(2));
    const Shape scores{q[0], q[1], k[1]};
    if (in.contains("mask")) {
      EXPECT_EQ(shape("mask"), scores);
    }
    return scores;
  }
  if (op == "matmul") {
    EXPECT_EQ(shape("a").at(2), shape("b").at(1));
    return {shape("a")[0], shape("a")[1], shape("b").at(2)};
  }
  if (op == "mean_heads")
    return {shape("x").at(0) / whole(stage, "heads"), shape("x").at(1), shape("x").at(2)};
  if (op == "concat") {
    Shape all = shape("x0");
    const auto axis = static_cast<std::size_t>(whole(stage, "axis"));
    all.at(axis) = 0;
    for (const auto& [name, tensor] : in) all[axis] += tensor.shape().at(axis);
    return all;
  }
  if (op == "constant") return {whole(stage, "count")};
  if (op.starts_with("ms_deform_attn")) {
    const Shape value = shape("value"), loc = shape("sampling_loc"), weights = shape("attn_weight");
    EXPECT_EQ(value.size(), 4U);
    EXPECT_EQ(loc.size(), 6U);
    EXPECT_EQ(weights, Shape(loc.begin(), loc.end() - 1));
    EXPECT_EQ(shape("spatial_shapes"), (Shape{loc.at(3), 2}));
    EXPECT_EQ(shape("level_start_index"), Shape{loc.at(3)});
    const Shape output{value[0], loc[1], value[2] * value[3]};
    if (op == "ms_deform_attn") return output;
    EXPECT_EQ(shape("grad_output"), output);
    return op == "ms_deform_attn_grad_value"         ? value
           : op == "ms_deform_attn_grad_attn_weight" ? weights
                                                     : loc;
  }
  if (op == "sampling_locations") {
    const Shape offsets = shape("offsets"), points = shape("reference_points");
    EXPECT_EQ((Shape{offsets.at(0), offsets.at(1), offsets.at(3)}),
              (Shape{points.at(0), points.at(1), points.at(2)}));
    EXPECT_EQ(shape("spatial_shapes"), (Shape{offsets.at(3), 2}));
    return offsets;
  }
  if (op == "resize")
    return {shape("x").at(0), shape("x").at(1), whole(stage, "height"), whole(stage, "width")};
  if (op == "threshold") {
    const Shape logits = shape("logits");
    return {logits.at(0) * whole(stage, "heads"), logits.at(1), logits.at(2) * logits.at(3)};
  }
  if (op == "unblock_rows") return shape("mask");
  if (op == "coordinates") {
    if (in.contains("mask")) return shape("mask");
    const auto sides = in.at("spatial_shape").contiguous();
    return {1, sides.values<std::int64_t>()[0], sides.values<std::int64_t>()[1]};
  }
  if (op == "temperatures") return {whole(stage, "count")};
  if (op == "angles") {
    Shape angles = shape("coordinates");
    angles.push_back(shape("temperatures").at(0));
    return angles;
  }
  if (op == "sine_embedding") {
    const Shape y = shape("angle_y");
    EXPECT_EQ(y, shape("angle_x"));
    return {y.at(0), 2 * y.at(3), y.at(1), y.at(2)};
  }
  if (op == "pixel_centres") {
    const Tensor sizes = in.at("spatial_shapes").contiguous();
    const auto sides =
        sizes.values<std::int64_t>().subspan(static_cast<std::size_t>(2 * whole(stage, "level")), 2);
    return {shape("valid_ratios").at(0), sides[0] * sides[1], 2};
  }
  if (op == "scaled_points")
    return {shape("points").at(0), shape("points").at(1), shape("valid_ratios").at(1), 2};
  ADD_FAILURE() << "no operation " << op;
  return {};
}

DType result_dtype(const Stage& stage, const Inputs& in, DType run) {
  if (stage.operation == "threshold" || stage.operation == "unblock_rows") return DType::kBool;
  if (stage.operation == "copy") return in.at("x").dtype();
  if (stage.operation == "concat") return in.at("x0").dtype();
  if (stage.operation == "constant" && stage.dtype == DType::kInt64) return DType::kInt64;
  return run;
}

/// What a stage computes, as far as shapes go: zeros, but for the numbers of constants.
Tensor result(const Stage& stage, const Inputs& in, DType run) {
  const Shape shape = result_shape(stage, in);
  const DType dtype = result_dtype(stage, in, run);
  if (dtype != DType::kInt64) return zeros(dtype, shape);
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < whole(stage, "count"); ++i)
    values.push_back(whole(stage, fmt::format("v{}", i)));
  return integers(shape, values);
}

void expect_well_formed(const BlockDefinition& block, const Case& c) {
  SCOPED_TRACE(block.name());
  ASSERT_NO_THROW(block.validate(c)) << refusal([&] { block.validate(c); });
  std::map<std::string, Tensor> values;
  for (const NamedTensor& input : c.inputs) values.emplace(input.name, input.tensor);
  const std::vector<Stage> stages = block.stages(c);
  const std::vector<OutputSpec> expected = block.stage_values(c);
  ASSERT_EQ(stages.size(), expected.size());
  std::set<std::string> names;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    SCOPED_TRACE(stage.name);
    EXPECT_TRUE(names.insert(stage.name).second);
    Inputs in;
    for (const StageInput& input : stage.inputs) {
      ASSERT_TRUE(values.contains(input.value)) << input.value;
      in.emplace(input.name, rearranged(values.at(input.value), input.view));
    }
    const Tensor value = rearranged(result(stage, in, block.compute_dtype(c)), stage.view);
    EXPECT_EQ(value.shape(), expected[i].shape);
    EXPECT_EQ(value.dtype(), expected[i].dtype);
    EXPECT_EQ(expected[i].name, stage.name);
    values.insert_or_assign(stage.name, value);
  }
  const std::vector<OutputSpec> outputs = block.outputs(c);
  EXPECT_FALSE(outputs.empty());
  for (const OutputSpec& output : outputs) {
    ASSERT_TRUE(names.contains(output.stage)) << output.name;
    EXPECT_EQ(values.at(output.stage).shape(), output.shape) << output.name;
    EXPECT_EQ(values.at(output.stage).dtype(), output.dtype) << output.name;
  }
  EXPECT_GE(block.working_memory(c, {}), 0);
}

class EveryBlock : public testing::TestWithParam<const BlockDefinition*> {};
using EveryDeepBlock = EveryBlock;

TEST_P(EveryBlock, HasWellFormedStages) {
  const BlockDefinition& block = *GetParam();
  expect_well_formed(block, small_case(block));
  EXPECT_GT(block.working_memory(small_case(block), {}), 0);
}

TEST_P(EveryBlock, TakesAnEmptyBatchAndNoQueries) {
  const BlockDefinition& block = *GetParam();
  for (const char* extent : {"B", "Q"}) {
    Extents extents = small_extents();
    extents[extent] = 0;
    expect_well_formed(block, small_case(block, small_attributes(block), extents));
  }
}

TEST_P(EveryBlock, IsWellFormedWithoutOptionalTensors) {
  const BlockDefinition& block = *GetParam();
  Extents extents = small_extents();
  extents["Dd"] = extents["D"];  // no projections are needed
  std::vector<std::string> left_out;
  for (const TensorSpec& spec : block.tensors(small_attributes(block))) {
    if (spec.optional) left_out.push_back(spec.name);
  }
  expect_well_formed(block, small_case(block, small_attributes(block), extents, left_out));
}

TEST_P(EveryBlock, NamesItsInputsWithoutParameters) {
  const BlockDefinition& block = *GetParam();
  for (const std::string& name : block.inputs()) EXPECT_FALSE(name.starts_with("param.")) << name;
  EXPECT_FALSE(block.inputs().empty());
  EXPECT_EQ(find_block_definition(block.name()), &block);
}

TEST_P(EveryBlock, HasOutputsOfItsNames) {
  const BlockDefinition& block = *GetParam();
  if (block.name() == "pixel_decoder") return;  // as many as it has levels
  const Case c = small_case(block);
  std::vector<std::string> names;
  for (const OutputSpec& output : block.outputs(c)) names.push_back(output.name);
  EXPECT_EQ(names, block.output_names());
}

TEST_P(EveryDeepBlock, RefusesTensorsItDoesNotHave) {
  const BlockDefinition& block = *GetParam();
  Case c = small_case(block);
  c.inputs.push_back({"surplus", zeros(DType::kFloat32, {1})});
  c.inputs.push_back({"more", zeros(DType::kFloat32, {1})});
  EXPECT_EQ(refusal([&] { block.validate(c); }),
            "block " + block.name() + ": tensors that it does not have: surplus, more");
}

TEST_P(EveryDeepBlock, ListsTensorsThatAreMissing) {
  const BlockDefinition& block = *GetParam();
  Case c = small_case(block);
  c.inputs.clear();
  const std::string text = refusal([&] { block.validate(c); });
  EXPECT_TRUE(text.starts_with("block " + block.name() + ": tensors missing: ")) << text;
  for (const TensorSpec& spec : block.tensors(c.attributes)) {
    if (!spec.optional) {
      EXPECT_NE(text.find(spec.name), std::string::npos) << spec.name;
    }
  }
}

TEST_P(EveryDeepBlock, RefusesATensorGivenTwice) {
  const BlockDefinition& block = *GetParam();
  Case c = small_case(block);
  c.inputs.push_back(c.inputs.front());
  EXPECT_NE(refusal([&] { block.validate(c); }).find("given twice"), std::string::npos);
}

TEST_P(EveryDeepBlock, RefusesAnyTensorOfAnotherRankOrDtype) {
  const BlockDefinition& block = *GetParam();
  const Case valid = small_case(block);
  for (const NamedTensor& input : valid.inputs) {
    SCOPED_TRACE(input.name);
    Case ranked = valid;
    Shape shape = input.tensor.shape();
    shape.insert(shape.begin(), 1);
    tensor_of(ranked, input.name) = zeros(input.tensor.dtype(), shape);
    EXPECT_NE(refusal([&] { block.validate(ranked); }).find("wanted"), std::string::npos);
    Case typed = valid;
    tensor_of(typed, input.name) = zeros(DType::kUInt8, input.tensor.shape());
    EXPECT_NE(refusal([&] { block.validate(typed); }).find(input.name + ": dtype uint8 found"),
              std::string::npos);
  }
}

TEST_P(EveryDeepBlock, RefusesAttributesOutOfRange) {
  const BlockDefinition& block = *GetParam();
  const Case valid = small_case(block);
  for (const auto& [name, value] : valid.attributes) {
    SCOPED_TRACE(name);
    for (const double wrong : {-1e301, 1e302, std::numeric_limits<double>::quiet_NaN()}) {
      Case c = valid;
      c.attributes[name] = wrong;
      EXPECT_NE(refusal([&] { block.validate(c); }).find("attribute '" + name + "'"), std::string::npos)
          << wrong;
    }
    Case c = valid;
    c.attributes.erase(name);
    EXPECT_NE(refusal([&] { block.validate(c); }).find("attributes missing: " + name), std::string::npos);
  }
  for (const char* name :
       {"num_heads", "num_levels", "batch_first", "pre_norm", "bits", "num_position_features"}) {
    if (!valid.attributes.contains(name)) continue;
    Case c = valid;
    c.attributes[name] = 0.5;
    EXPECT_NE(refusal([&] { block.validate(c); }).find("a whole number"), std::string::npos) << name;
  }
  Case c = valid;
  c.attributes["heads"] = 1;
  EXPECT_NE(refusal([&] { block.validate(c); }).find("attributes that it does not have: heads"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Blocks, EveryBlock, testing::ValuesIn(block_definitions()),
                         [](const auto& parameter) { return parameter.param->name(); });
INSTANTIATE_TEST_SUITE_P(Blocks, EveryDeepBlock, testing::ValuesIn(deep_blocks()),
                         [](const auto& parameter) { return parameter.param->name(); });

const BlockDefinition& block_of(const char* name) {
  return *find_block_definition(name);
}

TEST(DeepBlocks, AShapeThatDoesNotFitIsSaidWithTheOneWanted) {
  const BlockDefinition& block = block_of("encoder_layer");
  Case c = small_case(block);
  tensor_of(c, "param.fc2.weight") = zeros(DType::kFloat32, {8, 4});
  EXPECT_EQ(refusal([&] { block.validate(c); }),
            "block encoder_layer: param.fc2.weight: shape [8, 4] found, [M*D, F] = [8, 5] wanted");
}

TEST(DeepBlocks, FloatingTensorsAreOfOneDtype) {
  const BlockDefinition& block = block_of("encoder_layer");
  Case c = small_case(block);
  tensor_of(c, "param.fc1.bias") = zeros(DType::kFloat64, {5});
  EXPECT_EQ(refusal([&] { block.validate(c); }),
            "block encoder_layer: param.fc1.bias: dtype float64 found, float32 as in "
            "the tensors before it wanted");
  tensor_of(c, "hidden_states") = zeros(DType::kInt64, {2, 14, 8});
  EXPECT_EQ(refusal([&] { block.validate(c); }),
            "block encoder_layer: hidden_states: dtype int64 found, a floating dtype wanted");
}

TEST(Operator, SaysWhetherAMapIsEmptyOrTooLarge) {
  const BlockDefinition& block = block_of("ms_deform_attn");
  const auto refusal_of = [&](std::int64_t height, std::int64_t width) {
    Case c = small_case(block);
    const std::int64_t levels = c.input("spatial_shapes").dim(0);
    std::vector<std::int64_t> sides(static_cast<std::size_t>(2 * levels), 1);
    sides[0] = height;
    sides[1] = width;
    tensor_of(c, "spatial_shapes") = integers({levels, 2}, sides);
    return refusal([&] { block.validate(c); });
  };
  constexpr std::int64_t kBeyond32Bits = std::int64_t{1} << 32;
  EXPECT_NE(refusal_of(kBeyond32Bits, kBeyond32Bits).find(": more pixels than the"), std::string::npos);
  EXPECT_NE(refusal_of(kBeyond32Bits, 1).find("rows of value"), std::string::npos);
  EXPECT_NE(refusal_of(0, kBeyond32Bits).find("at least 1 x 1 wanted"), std::string::npos);
}

TEST(DeepBlocks, LevelsMustFillTheSequence) {
  for (const char* name : {"attention_layer", "encoder_layer", "pixel_decoder_encoder"}) {
    const BlockDefinition& block = block_of(name);
    Case c = small_case(block);
    tensor_of(c, "spatial_shapes") = integers({2, 2}, {1, 2, 3, 5});
    EXPECT_NE(refusal([&] { block.validate(c); }).find("17 pixels in all, 14 wanted"), std::string::npos);
    tensor_of(c, "spatial_shapes") = integers({2, 2}, {-1, -2, 3, 4});
    EXPECT_NE(refusal([&] { block.validate(c); }).find("level 0 is -1 x -2"), std::string::npos);
    tensor_of(c, "spatial_shapes") = integers({2, 2}, {std::int64_t{1} << 62, 4, 3, 4});
    EXPECT_NE(refusal([&] { block.validate(c); }).find("x 4: more pixels in all than 64 bits"),
              std::string::npos);
    c = small_case(block);
    tensor_of(c, "level_start_index") = integers({2}, {0, 3});
    EXPECT_NE(refusal([&] { block.validate(c); }).find("level_start_index: [0, 3] found, [0, 2] wanted"),
              std::string::npos);
  }
}

TEST(DeepBlocks, SizesGivenAsValuesAreBounded) {
  const BlockDefinition& predictor = block_of("mask_predictor");
  Case c = small_case(predictor);
  for (const std::int64_t side :
       {std::int64_t{0}, std::int64_t{-3}, std::int64_t{1} << 40, std::int64_t{1} << 62}) {
    tensor_of(c, "target_size") = integers({2}, {side, side});
    EXPECT_NE(refusal([&] { predictor.validate(c); }), "") << side;
  }
  const BlockDefinition& positions = block_of("position_embedding");
  Case p = small_case(positions, small_attributes(positions), small_extents(), {"mask"});
  tensor_of(p, "spatial_shape") = integers({2}, {std::int64_t{1} << 40, std::int64_t{1} << 40});
  EXPECT_NE(refusal([&] { positions.validate(p); }), "");
  Case masked = small_case(positions);
  tensor_of(masked, "spatial_shape") = integers({2}, {6, 5});
  EXPECT_NE(refusal([&] { positions.validate(masked); }).find("6 x 5 wanted as in spatial_shape"),
            std::string::npos);
}

TEST(DeepBlocks, TensorsThatRepeatOneElementMayBeLargerThanAnyMachine) {
  const auto repeated = [](Shape shape) {
    const Shape strides(shape.size(), 0);
    return Tensor(DType::kFloat32, std::move(shape), strides, 0, std::make_shared<Tensor::Bytes>(4));
  };
  const BlockDefinition& block = block_of("pixel_decoder");
  const std::int64_t large = std::int64_t{1} << 29;
  Case c = small_case(block);
  for (const char* name : {"features.1", "features.2"}) {
    tensor_of(c, name) = repeated({1, c.input(name).dim(1), large, large});
  }
  tensor_of(c, "features.0") = repeated({1, c.input("features.0").dim(1), 1, 1});
  EXPECT_NE(refusal([&] { block.validate(c); }).find("would be too large"), std::string::npos);
  c = small_case(block);
  for (const char* name : {"features.0", "features.1", "features.2"}) {
    tensor_of(c, name) = repeated({std::int64_t{1} << 58, c.input(name).dim(1), 1, 1});
  }
  EXPECT_NE(refusal([&] { block.validate(c); }).find("would be too large"), std::string::npos);
}

TEST(DeepBlocks, ChannelsMustDivide) {
  const BlockDefinition& block = block_of("pixel_decoder");
  Attributes attributes = small_attributes(block);
  attributes["group_norm_groups"] = 3;
  EXPECT_NE(refusal([&] { block.validate(small_case(block, attributes)); }).find("group_norm_groups = 3"),
            std::string::npos);
  Extents extents = small_extents();
  extents["D"] = 3;  // 6 channels
  attributes["group_norm_groups"] = 2;
  EXPECT_NE(refusal([&] { block.validate(small_case(block, attributes, extents)); }).find("divide by 4"),
            std::string::npos);
}

TEST(DeepBlocks, InputProjectionsAreAllThereOrNone) {
  const BlockDefinition& block = block_of("transformer_decoder");
  const std::string first = "param.model.transformer_module.input_projections.0.";
  Extents narrow = small_extents();
  narrow["C"] = 4;
  EXPECT_EQ(refusal([&] { block.validate(small_case(block, small_attributes(block), narrow)); }), "");
  EXPECT_NE(refusal([&] {
              block.validate(small_case(block, small_attributes(block), small_extents(),
                                        {first + "weight", first + "bias"}));
            }).find("some of the input projections"),
            std::string::npos);
  const std::string second = "param.model.transformer_module.input_projections.1.";
  EXPECT_NE(
      refusal([&] {
        block.validate(small_case(block, small_attributes(block), narrow,
                                  {first + "weight", first + "bias", second + "weight", second + "bias"}));
      }).find("no input projections between them"),
      std::string::npos);
}

TEST(DeepBlocks, AttentionLayersComeInEveryVariant) {
  const BlockDefinition& block = block_of("attention_layer");
  for (const double batch_first : {0, 1}) {
    for (const double residual : {0, 1}) {
      for (const std::int64_t coordinates : {2, 4}) {
        Attributes attributes = small_attributes(block);
        attributes["batch_first"] = batch_first;
        attributes["residual_inside"] = residual;
        Extents extents = small_extents();
        extents["R"] = coordinates;
        const Case c = small_case(block, attributes, extents);
        expect_well_formed(block, c);
        EXPECT_EQ(block.outputs(c)[0].shape, c.input("hidden_states").shape());
        EXPECT_EQ(block.outputs(c)[0].stage, batch_first != 0 && residual == 0 ? "output_proj" : "output");
      }
    }
  }
  Extents extents = small_extents();
  extents["R"] = 3;
  EXPECT_NE(refusal([&] {
              block.validate(small_case(block, small_attributes(block), extents));
            }).find("2 (points) or 4"),
            std::string::npos);
}

TEST(DeepBlocks, NormsStandBeforeOrAfterAPart) {
  for (const char* name : {"decoder_layer", "transformer_decoder", "mask2former_head"}) {
    const BlockDefinition& block = block_of(name);
    Attributes attributes = small_attributes(block);
    attributes["pre_norm"] = 1;
    expect_well_formed(block, small_case(block, attributes));
  }
  const BlockDefinition& layer = block_of("decoder_layer");
  Case c = small_case(layer);
  EXPECT_EQ(layer.outputs(c)[0].stage, "final_layer_norm");
  c.attributes["pre_norm"] = 1;
  EXPECT_EQ(layer.outputs(c)[0].stage, "ffn_residual");
}

TEST(DeepBlocks, ADecoderWithoutLayersPredictsOnce) {
  const BlockDefinition& block = block_of("transformer_decoder");
  Attributes attributes = small_attributes(block);
  attributes["num_decoder_layers"] = 0;
  Extents extents = small_extents();
  const Case c = small_case(block, attributes, extents);
  // Nothing then tells the hidden width, and nothing needs it.
  expect_well_formed(block, c);
  EXPECT_EQ(block.outputs(c)[0].stage, "class_predictor#0");
}

TEST(DeepBlocks, DimensionsHaveTheNamesOfTheOperatorsBlock) {
  const BlockDefinition& block = block_of("pixel_decoder");
  const Extents dims = block.dimensions(small_case(block));
  EXPECT_EQ(dims.at("N"), 2);
  EXPECT_EQ(dims.at("S"), 14);
  EXPECT_EQ(dims.at("Q"), 14);
  EXPECT_EQ(dims.at("M"), 2);
  EXPECT_EQ(dims.at("D"), 4);
  EXPECT_EQ(dims.at("L"), 2);
  EXPECT_EQ(dims.at("P"), 3);
  const BlockDefinition& head = block_of("mask2former_head");
  EXPECT_EQ(head.dimensions(small_case(head)).at("Q"), 3);
}

TEST(DeepBlocks, ABatchThatDoesNotDivideIsOutsideSomeContracts) {
  const BlockDefinition& block = block_of("encoder_layer");
  Extents extents = small_extents();
  extents["B"] = 3;
  Attributes attributes = small_attributes(block);
  attributes["im2col_step"] = 2;
  const Case c = small_case(block, attributes, extents);
  EXPECT_EQ(block.outside_contract(c, {}), "");
  Contract contract;
  contract.im2col_step = Im2colStep::kDivides;
  EXPECT_EQ(block.outside_contract(c, contract), "im2col_step does not divide the batch");
}

TEST(DeepBlocks, PositionEmbeddingsRunInTheDtypeThatTheyAreTold) {
  const BlockDefinition& block = block_of("position_embedding");
  Case c = small_case(block);
  EXPECT_EQ(block.compute_dtype(c), DType::kFloat32);
  c.attributes["bits"] = 64;
  EXPECT_EQ(block.outputs(c)[0].dtype, DType::kFloat64);
}

}  // namespace
}  // namespace deformdiff
