// What a trace or a configuration says of sizes is kept; what nobody says and replays may not choose is asked
// for.
#include "check/replay_cases.h"

#include "blocks/block_list.h"
#include "blocks/small_case_test.h"
#include "catalog/catalog.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// What is known of a module of the block, traced on a small case without the inputs named.
struct Known {
  explicit Known(const std::string& block, const std::vector<std::string>& hidden = {})
      : definition(*find_block_definition(block)), problem(small_case(definition)) {
    for (const NamedTensor& input : problem.inputs) {
      if (is_parameter(input.name)) {
        parameters.push_back(input);
        continue;
      }
      inputs.insert(input.name);
      if (std::ranges::find(hidden, input.name) == hidden.end()) example.push_back(input);
    }
  }

  ReplaySource source() const {
    return {definition, problem.attributes, parameters, DType::kFloat32, inputs, example, configured};
  }

  /// The first replay, or the text of the refusal.
  Case first() const { return replay_cases(source(), sizes_of(source()), 1).front().problem; }
  std::string refused() const {
    return refusal([&] { first(); });
  }

  const BlockDefinition& definition;
  Case problem;
  std::vector<NamedTensor> parameters, example;
  std::set<std::string> inputs;
  Extents configured;
};

TEST(ReplayCases, HaveAsManyLevelsAsTheTrace) {
  const Known known("reference_points");
  EXPECT_EQ(known.first().input("spatial_shapes").shape(), (Shape{2, 2}));
}

TEST(ReplayCases, HaveAsManyLevelsAsTheConfigurationSays) {
  Known known("reference_points", {"spatial_shapes", "valid_ratios"});
  EXPECT_NE(known.refused().find("num_levels"), std::string::npos) << known.refused();
  known.configured = {{"L", 4}};
  EXPECT_EQ(known.first().input("spatial_shapes").shape(), (Shape{4, 2}));
}

TEST(ReplayCases, HaveBoxesWhereTheTraceHas) {
  Known known("attention_layer");
  for (NamedTensor& input : known.example) {
    if (input.name == "reference_points") input.tensor = zeros(DType::kFloat32, {2, 3, 2, 4});
  }
  EXPECT_EQ(known.first().input("reference_points").shape().back(), 4);
}

TEST(ReplayCases, HaveBoxesWhereTheConfigurationSays) {
  Known known("attention_layer", {"reference_points"});
  EXPECT_NE(known.refused().find("\"reference\""), std::string::npos) << known.refused();
  known.configured = {{"R", 4}};
  EXPECT_EQ(known.first().input("reference_points").shape().back(), 4);
}

TEST(ReplayCases, TakeNoConfigurationThatTheTraceContradicts) {
  Known boxes("attention_layer");
  boxes.configured = {{"R", 4}};
  EXPECT_NE(boxes.refused().find("reference_points has 2 coordinates"), std::string::npos) << boxes.refused();
  Known levels("reference_points");
  levels.configured = {{"L", 3}};
  EXPECT_NE(levels.refused().find("has 2 levels"), std::string::npos) << levels.refused();
}

/// The number of queries in each replay; 0 where the block has none.
std::map<std::string, std::int64_t> queries_of(const ReplaySource& source) {
  std::map<std::string, std::int64_t> queries;
  for (const ReplayCase& each : replay_cases(source, sizes_of(source), 1)) {
    const Extents extents = source.block.dimensions(each.problem);
    queries[each.name] = extents.contains("Q") ? extents.at("Q") : 0;
  }
  return queries;
}

TEST(ReplayCases, HaveOtherNumbersOfQueriesWhereTheyAreAnInput) {
  for (const char* block : {"attention_layer", "decoder_layer", "mask_predictor"}) {
    const Known known(block);
    const std::int64_t traced = known.definition.dimensions(known.problem).at("Q");
    const auto queries = queries_of(known.source());
    EXPECT_EQ(queries.at("other_batch"), traced) << block;
    EXPECT_GT(queries.at("other_queries"), traced) << block;
    // Some go wrong from the eighth on, of which a file that was never traced says nothing.
    Known script(block);
    script.example.clear();
    script.configured = {{"L", 2}, {"R", 2}};
    EXPECT_GT(queries_of(script.source()).at("other_queries"), 8) << block;
  }
}

TEST(ReplayCases, HaveTheQueriesThatParametersOrPixelsSay) {
  for (const char* block : {"encoder_layer", "pixel_decoder", "transformer_decoder", "mask2former_head"})
    EXPECT_FALSE(queries_of(Known(block).source()).contains("other_queries")) << block;
  Known of_pixels("attention_layer", {"encoder_hidden_states"});
  of_pixels.inputs.erase("encoder_hidden_states");
  EXPECT_FALSE(queries_of(of_pixels.source()).contains("other_queries"));
}

}  // namespace
}  // namespace deformdiff
