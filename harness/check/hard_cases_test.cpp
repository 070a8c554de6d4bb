// Every kind of hard case is what its name says, for each block that it can be made for.
#include "check/hard_cases.h"

#include "blocks/block_list.h"
#include "catalog/catalog.h"
#include "check/aimed_inputs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Names = std::set<std::string>;

/// What every block with parameters or features gets.
Names with(Names names) {
  names.insert({"many_rows", "many_columns"});
  return names;
}

/// A model of the block: a typical case's parameters, and a module that takes all of its inputs.
class Model {
 public:
  explicit Model(const std::string& block)
      : entry(find_block(block)), definition(*find_block_definition(block)) {
    for (std::uint64_t i = 0; problem.inputs.empty() || !is_whole(); ++i) {
      problem = entry.generator->generate(5, {"typical"}, i);
    }
    for (const NamedTensor& input : problem.inputs) {
      (is_parameter(input.name) ? parameters : example).push_back(input);
    }
    for (const NamedTensor& input : example) inputs.insert(input.name);
  }

  std::vector<ReplayCase> cases() const {
    const ReplaySource source{definition, problem.attributes, parameters, DType::kFloat32, inputs, example,
                              {}};
    return hard_cases(entry, source, 3, 1);
  }

  const BlockEntry& entry;
  const BlockDefinition& definition;

 private:
  /// With every optional input; norms and projections that are small enough to be quick.
  bool is_whole() const {
    if (element_count(problem) > 100000 || definition.compute_dtype(problem) != DType::kFloat32) return false;
    return std::ranges::all_of(definition.tensors(problem.attributes), [&](const TensorSpec& spec) {
      return spec.is_parameter() || problem.find_input(spec.name) != nullptr;
    });
  }

  Case problem;
  std::vector<NamedTensor> parameters, example;
  Names inputs;
};

const ReplayCase& named(const std::vector<ReplayCase>& cases, const std::string& name) {
  const auto found = std::ranges::find(cases, name, &ReplayCase::name);
  EXPECT_NE(found, cases.end()) << name;
  return *found;
}

/// The value that the first stage of this operation takes as `input`, in exact arithmetic.
Tensor given_to(const BlockEntry& entry, const Case& c, const std::string& operation,
                const std::string& input) {
  const std::vector<Stage> stages = entry.block->stages(c);
  const auto first = std::ranges::find(stages, operation, &Stage::operation);
  if (first == stages.end()) {
    ADD_FAILURE() << "no stage is a " << operation;
    return {};
  }
  return exact_inputs(entry, c, *first, 1).input(input);
}

double variance_of_row(const Tensor& tensor, std::int64_t row) {
  const std::int64_t length = tensor.shape().back();
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < length; ++i) sum += tensor.element(row * length + i);
  const double mean = sum / static_cast<double>(length);
  for (std::int64_t i = 0; i < length; ++i) squares += std::pow(tensor.element(row * length + i) - mean, 2);
  return squares / static_cast<double>(length);
}

TEST(HardCases, AreThoseThatTheBlockCanHave) {
  const Names levels{"one_row", "one_column", "one_pixel", "twin_levels"};
  const Names finest{"finest_one_row", "finest_one_column"};
  const Names resized{"same_size", "whole_multiple", "enlarged"};
  const Names norms{"equal_rows", "small_variance", "large_mean"};
  const Names thresholds{"at_threshold", "near_threshold", "cancelling"};
  const Names padding{"padded_image", "scattered_mask", "one_open_key", "last_masked"};
  const Names counts{"very_many_rows", "very_many_columns"};
  const auto all = [](std::initializer_list<Names> lists) {
    Names names = with({});
    for (const Names& list : lists) names.insert(list.begin(), list.end());
    return names;
  };
  const std::map<std::string, Names> wanted{
      {"position_embedding", all({finest, counts, {"scattered_mask", "last_masked"}})},
      {"reference_points", all({levels, counts, {"padded"}})},
      {"attention_layer", all({levels, padding, {"large_scores", "odd_references"}})},
      {"encoder_layer", all({levels, norms, padding, {"large_scores", "odd_references"}})},
      {"pixel_decoder_encoder", all({levels, norms, padding, {"large_scores", "padded"}})},
      {"pixel_decoder",
       all({levels, finest, {"same_size", "whole_multiple", "reduced"}, norms, {"large_scores"}})},
      {"decoder_layer",
       all({norms, {"large_scores", "equal_scores", "one_open_key", "mask_by_head", "last_masked"}})},
      {"mask_predictor", all({{"one_row", "one_column", "one_pixel"}, finest, resized, norms, thresholds})},
      {"transformer_decoder",
       all({levels, finest, resized, thresholds, {"large_mean", "large_scores", "one_blocked_key"}})},
      {"mask2former_head", all({levels, finest, resized, norms, {"large_scores"}})}};
  for (const auto& [block, names] : wanted) {
    Names found;
    for (const ReplayCase& each : Model(block).cases()) {
      found.insert(each.name);
      EXPECT_FALSE(each.what.empty());
    }
    EXPECT_EQ(found, names) << block;
  }
}

TEST(HardCases, GiveTheFirstNormWhatTheyPromise) {
  for (const char* block : {"encoder_layer", "pixel_decoder_encoder", "decoder_layer", "mask_predictor"}) {
    const Model model(block);
    const std::vector<ReplayCase> cases = model.cases();
    const Tensor equal = given_to(model.entry, named(cases, "equal_rows").problem, "layer_norm", "x"),
                 small = given_to(model.entry, named(cases, "small_variance").problem, "layer_norm", "x");
    const std::int64_t rows = equal.elements() / equal.shape().back();
    for (std::int64_t row = 0; row < rows; ++row) {
      EXPECT_LT(variance_of_row(equal, row), 1e-9) << block;
      EXPECT_GT(equal.element(row * equal.shape().back()), 11) << block;
      EXPECT_GT(variance_of_row(small, row), 1e-7) << block;
      EXPECT_LT(variance_of_row(small, row), 1e-4) << block;
    }
  }
}

TEST(HardCases, GiveASoftmaxEqualAndOverflowingScores) {
  const Model model("decoder_layer");
  const std::vector<ReplayCase> cases = model.cases();
  const Tensor equal = given_to(model.entry, named(cases, "equal_scores").problem, "softmax", "x"),
               large = given_to(model.entry, named(cases, "large_scores").problem, "softmax", "x");
  const std::int64_t keys = equal.shape().back();
  double largest = 0;
  std::set<double> of_first_row;
  for (std::int64_t i = 0; i < keys; ++i) {
    if (std::isfinite(equal.element(i))) of_first_row.insert(equal.element(i));
  }
  for (std::int64_t i = 0; i < large.elements(); ++i) largest = std::max(largest, large.element(i));
  EXPECT_EQ(of_first_row.size(), 1U);
  EXPECT_GT(largest, 710);
}

TEST(HardCases, OpenOneKeyAQuery) {
  for (const char* block : {"decoder_layer", "encoder_layer"}) {
    const std::vector<ReplayCase> cases = Model(block).cases();
    const Tensor& mask = named(cases, "one_open_key").problem.input("attention_mask");
    const std::int64_t keys = mask.shape().back();
    for (std::int64_t row = 0; row < mask.elements() / keys; ++row) {
      int open = 0;
      for (std::int64_t key = 0; key < keys; ++key) open += mask.element(row * keys + key) == 0 ? 1 : 0;
      EXPECT_EQ(open, 1) << block;
    }
  }
}

TEST(HardCases, MaskTheLastImageAlone) {
  const std::map<std::string, std::pair<std::string, double>> open{{"decoder_layer", {"attention_mask", 0}},
                                                                   {"encoder_layer", {"attention_mask", 0}},
                                                                   {"position_embedding", {"mask", 1}}};
  for (const auto& [block, given] : open) {
    const std::vector<ReplayCase> cases = Model(block).cases();
    const Case& problem = named(cases, "last_masked").problem;
    const Tensor& mask = problem.input(given.first);
    const std::int64_t of_one = mask.elements() / find_block_definition(block)->dimensions(problem).at("B");
    std::set<std::int64_t> masked_images;
    for (std::int64_t i = 0; i < mask.elements(); ++i) {
      if (mask.element(i) != given.second) masked_images.insert(i / of_one);
    }
    EXPECT_EQ(masked_images, std::set<std::int64_t>{mask.elements() / of_one - 1}) << block;
    EXPECT_GT(mask.elements() / of_one, 1) << block;
  }
}

TEST(HardCases, BlockAsManyKeysAsAByteTakesForAll) {
  const Model model("transformer_decoder");
  const std::vector<ReplayCase> cases = model.cases();
  const Tensor mask = given_to(model.entry, named(cases, "one_blocked_key").problem, "unblock_rows", "mask");
  const std::int64_t keys = mask.shape().back();
  std::set<std::int64_t> counts;
  for (std::int64_t row = 0; row < mask.elements() / keys; ++row) {
    std::int64_t blocked = 0;
    for (std::int64_t key = 0; key < keys; ++key) blocked += mask.element(row * keys + key) != 0 ? 1 : 0;
    counts.insert(blocked);
  }
  EXPECT_TRUE(std::ranges::any_of(counts, [&](std::int64_t blocked) {
    return blocked != keys && blocked % 256 == keys % 256;
  })) << testing::PrintToString(counts);
}

/// The sides of a map [B, C, H, W].
LevelSize map_of(const ReplayCase& each, const std::string& input) {
  const Tensor& map = each.problem.input(input);
  return {map.dim(2), map.dim(3)};
}

LevelSize target_of(const ReplayCase& each) {
  const Tensor& target = each.problem.input("target_size");
  return {static_cast<std::int64_t>(target.element(0)), static_cast<std::int64_t>(target.element(1))};
}

/// Sides before and after.
struct Resizing {
  LevelSize from, to;
};

/// What a mask predictor makes of its masks, a pixel decoder of its last level.
struct Resizer {
  explicit Resizer(const std::string& block) : is_predictor(block == "mask_predictor") {}

  std::string finest() const { return is_predictor ? "pixel_embeddings" : "features.0"; }
  Resizing operator()(const ReplayCase& each) const {
    const LevelSize map = map_of(each, finest());
    return is_predictor ? Resizing{map, target_of(each)} : Resizing{map_of(each, "features.1"), map};
  }

  bool is_predictor;
};

bool is_multiple(std::int64_t a, std::int64_t b) {
  return a > b ? a % b == 0 : b > a && b % a == 0;
}

TEST(HardCases, ResizeAsTheirNamesSay) {
  for (const char* block : {"mask_predictor", "pixel_decoder"}) {
    const std::vector<ReplayCase> cases = Model(block).cases();
    const Resizer resizing(block);
    const auto same = resizing(named(cases, "same_size"));
    EXPECT_EQ(same.from, same.to) << block;
    const auto [from, to] = resizing(named(cases, "whole_multiple"));
    EXPECT_TRUE(is_multiple(from.height, to.height) && is_multiple(from.width, to.width)) << block;
    const auto other = resizing(named(cases, resizing.is_predictor ? "enlarged" : "reduced"));
    const auto& [small, large] = resizing.is_predictor ? other : Resizing{other.to, other.from};
    EXPECT_TRUE(small.height < large.height && small.width < large.width) << block;
    for (const char* name : {"same_size", "whole_multiple", resizing.is_predictor ? "enlarged" : "reduced"})
      EXPECT_GT(named(cases, name).problem.input(resizing.finest()).dim(0), 1) << block << " " << name;
  }
}

TEST(HardCases, HaveLevelsOrTargetsOfOneRowColumnOrPixel) {
  for (const char* block : {"mask_predictor", "pixel_decoder"}) {
    const std::vector<ReplayCase> cases = Model(block).cases();
    const bool is_predictor = Resizer(block).is_predictor;
    for (const char* name : {"one_row", "one_column", "one_pixel"}) {
      const ReplayCase& each = named(cases, name);
      std::vector<LevelSize> sizes;
      if (is_predictor) sizes.push_back(target_of(each));
      for (std::size_t l = 1; !is_predictor && l <= each.sizes.levels.size(); ++l)
        sizes.push_back(map_of(each, "features." + std::to_string(l)));
      const bool row = name != std::string("one_column"), column = name != std::string("one_row");
      for (const LevelSize& size : sizes) {
        EXPECT_EQ(size.height == 1, row) << block << " " << name;
        EXPECT_EQ(size.width == 1, column) << block << " " << name;
      }
    }
  }
}

TEST(HardCases, HaveAFinestMapOfOneRowOrColumn) {
  for (const char* block : {"mask_predictor", "pixel_decoder"}) {
    const std::vector<ReplayCase> cases = Model(block).cases();
    for (const char* name : {"finest_one_row", "finest_one_column"}) {
      const ReplayCase& each = named(cases, name);
      const LevelSize map = map_of(each, Resizer(block).finest());
      EXPECT_EQ(map, each.sizes.finest) << block << " " << name;
      EXPECT_EQ(map.height == 1, name == std::string("finest_one_row")) << block;
      EXPECT_EQ(map.width == 1, name == std::string("finest_one_column")) << block;
    }
  }
}

TEST(HardCases, HaveManyRowsOrColumns) {
  for (const char* block : {"mask_predictor", "pixel_decoder"}) {
    const std::vector<ReplayCase> cases = Model(block).cases();
    for (const char* name : {"many_rows", "many_columns"}) {
      const LevelSize map = map_of(named(cases, name), Resizer(block).finest());
      EXPECT_EQ(map.height > 256, name == std::string("many_rows")) << block;
      EXPECT_EQ(map.width > 256, name == std::string("many_columns")) << block;
    }
  }
}

TEST(HardCases, GiveTheThresholdWhatTheyPromise) {
  for (const char* block : {"mask_predictor", "transformer_decoder"}) {
    const Model model(block);
    const std::vector<ReplayCase> cases = model.cases();
    const Tensor at = given_to(model.entry, named(cases, "at_threshold").problem, "sigmoid", "x"),
                 near = given_to(model.entry, named(cases, "near_threshold").problem, "sigmoid", "x");
    std::int64_t zeros = 0;
    double largest = 0;
    for (std::int64_t i = 0; i < at.elements(); ++i) zeros += at.element(i) == 0 ? 1 : 0;
    for (std::int64_t i = 0; i < near.elements(); ++i) largest = std::max(largest, std::abs(near.element(i)));
    EXPECT_GT(zeros, 0) << block;
    // Of ordinary ones the largest is above 1 and far below 100.
    EXPECT_GT(largest, 1e-6) << block;
    EXPECT_LT(largest, 1e-4) << block;
  }
}

TEST(HardCases, CancelLogitsInMasksThatAreResized) {
  const auto largest = [](const Tensor& tensor) {
    double most = 0;
    for (std::int64_t i = 0; i < tensor.elements(); ++i) most = std::max(most, std::abs(tensor.element(i)));
    return most;
  };
  for (const char* block : {"mask_predictor", "transformer_decoder"}) {
    const Model model(block);
    const Case problem = named(model.cases(), "cancelling").problem;
    const double before = largest(given_to(model.entry, problem, "resize", "x")),
                 after = largest(given_to(model.entry, problem, "sigmoid", "x"));
    EXPECT_LT(after, 1e-3 * before) << block;
    EXPECT_GT(after, 1e-6 * before) << block;
  }
}

TEST(HardCases, CountMoreThanAByteHolds) {
  for (const char* block : {"position_embedding", "reference_points", "decoder_layer", "pixel_decoder"}) {
    const std::vector<ReplayCase> cases = Model(block).cases();
    for (const char* name : {"many_rows", "many_columns"}) {
      const Extents extents = find_block_definition(block)->dimensions(named(cases, name).problem);
      EXPECT_TRUE(std::ranges::any_of(extents, [](const auto& extent) { return extent.second > 256; }))
          << block;
    }
  }
}

TEST(HardCases, CountMoreThanAFloat16Holds) {
  for (const char* block : {"position_embedding", "reference_points"}) {
    const std::vector<ReplayCase> cases = Model(block).cases();
    for (const char* name : {"very_many_rows", "very_many_columns"}) {
      const ReplayCase& each = named(cases, name);
      std::vector<LevelSize> sizes = each.sizes.levels;
      sizes.push_back(each.sizes.finest);
      const bool rows = name == std::string("very_many_rows");
      EXPECT_TRUE(std::ranges::any_of(
          sizes, [&](const LevelSize& size) { return (rows ? size.height : size.width) > 2048; }))
          << block << " " << name;
    }
  }
}

}  // namespace
}  // namespace deformdiff
