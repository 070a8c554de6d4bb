// Each fault of a whole model is wrong on every block that it names; a wrong stage is as wrong as was asked.
#include "faults/fault.h"
#include "faults/faults.h"
#include "faults/wrong_stage.h"
#include "subjects/mask2former/blocks.h"
#include "subjects/mask2former/test_calls.h"
#include "subjects/ms_deform_attn/forward.h"

#include <iterator>
#include <tuple>

#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

std::vector<at::Tensor> right(const TestCall& call, Taps* taps = nullptr) {
  return mask2former::run_block(call(taps), ms_deform_attn::forward_operator);
}

SubjectList block_faults() {
  SubjectList list = model_faults();
  const auto append = [&list](SubjectList more) {
    list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  append(norm_faults());
  append(export_faults());
  return list;
}

/// A call on which every fault shows: a batch, a mask, in decoders a query whose mask is all blocked, for
/// cancellation norms of a large mean, and for the types of parameters 16 bits beside float32 norms.
TestCall provocation(const std::string& fault, const std::string& block) {
  TestCall call = test_call(block);
  if (fault == "fault/blocked_rows_kept") {
    const std::string embedder = "param.model.transformer_module.decoder.mask_predictor.mask_embedder.2.0.";
    call.input(embedder + "weight").mul_(100);
    call.input(embedder + "bias").fill_(-1);
    if (block == "transformer_decoder") call.input("mask_features").fill_(1);
  }
  if (fault == "fault/norm_one_pass_variance") {
    for (const std::string& name : call.names()) {
      if (name.ends_with("fc2.bias")) call.input(name).add_(1e7);
    }
  }
  if (fault == "fault/norm_half_parameters") {
    for (const std::string& name : call.names()) {
      at::Tensor& input = call.input(name);
      if (!input.is_floating_point()) continue;
      input = input.to(name.find("layer_norm") != std::string::npos ? at::kFloat : at::kBFloat16);
    }
  }
  return call;
}

using FaultAndBlock = std::tuple<std::string, std::string>;

class EachBlockFault : public testing::TestWithParam<FaultAndBlock> {};

TEST_P(EachBlockFault, IsWrongWithTheRightShape) {
  const auto& [name, block] = GetParam();
  const std::unique_ptr<Subject> fault = fault_by_name(name);
  ASSERT_NE(fault, nullptr);
  const TestCall call = provocation(name, block);
  const auto wanted = right(call), found = fault->run(call());
  ASSERT_EQ(found.size(), wanted.size());
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].sizes(), wanted[i].sizes());
    worst = std::max(worst, relative_difference(found[i], wanted[i]));
  }
  EXPECT_GT(worst, 1e-6);
  const bool not_finite = !found.front().isfinite().all().item<bool>();
  EXPECT_EQ(not_finite, fault->info().expected == "nonfinite_mismatch");
}

TEST_P(EachBlockFault, ShowsItsStages) {
  const auto& [name, block] = GetParam();
  const TestCall call = provocation(name, block);
  ShownStages stages, wanted;
  fault_by_name(name)->run(call(&stages));
  right(call, &wanted);
  EXPECT_EQ(stages.values().size(), wanted.values().size());
}

std::vector<FaultAndBlock> faults_and_blocks() {
  std::vector<FaultAndBlock> all;
  for (const auto& fault : block_faults()) {
    for (const std::string& block : fault->info().blocks) all.emplace_back(fault->info().name, block);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Faults, EachBlockFault, testing::ValuesIn(faults_and_blocks()),
                         [](const auto& info) {
                           return std::get<0>(info.param).substr(std::string("fault/").size()) + "_" +
                                  std::get<1>(info.param);
                         });

TEST(BlockFaults, ThereIsOneForEachBlock) {
  std::set<std::string> blocks;
  for (const auto& fault : block_faults()) {
    blocks.merge(SubjectInfo(fault->info()).blocks);
    EXPECT_FALSE(fault->info().faulty.empty() || fault->info().expected.empty()) << fault->info().name;
  }
  EXPECT_EQ(blocks, mask2former::block_names());
}

TEST(WrongStage, ChangesTheLargestElementByTheSizeAskedFor) {
  const TestCall call = test_call("encoder_layer");
  ShownStages wanted, found;
  right(call, &wanted);
  const auto fault = fault_by_name("fault/wrong_stage:fc1:1e-3");
  ASSERT_NE(fault, nullptr);
  EXPECT_EQ(fault->info().blocks, mask2former::block_names());
  const auto outputs = fault->run(call(&found));
  const at::Tensor difference = (found["fc1"] - wanted["fc1"]).abs();
  EXPECT_EQ(difference.ne(0).sum().item<std::int64_t>(), 1);
  EXPECT_NEAR(difference.max().item<double>(), 1e-3 * wanted["fc1"].abs().max().item<double>(), 1e-12);
  EXPECT_EQ(relative_difference(found["self_attn_layer_norm"], wanted["self_attn_layer_norm"]), 0);
  EXPECT_EQ(relative_difference(outputs, fault->run(call())), 0) << "tapped or not";
}

TEST(WrongStage, FlipsOneElementOfAMask) {
  const TestCall call = test_call("mask_predictor");
  const auto fault = fault_by_name("fault/wrong_stage:mask_predictor.attention_mask_raw:1");
  ASSERT_NE(fault, nullptr);
  const auto wanted = right(call), found = fault->run(call());
  EXPECT_EQ(found[3].ne(wanted[3]).sum().item<std::int64_t>(), 1);
}

TEST(WrongStage, IsUnsupportedWhereThereIsNoSuchStage) {
  EXPECT_THROW(fault_by_name("fault/wrong_stage:layers.9.fc1:1e-3")->run(test_call("encoder_layer")()),
               c10::NotImplementedError);
}

TEST(WrongStage, WantsAStageAndASize) {
  for (const char* name : {"fault/wrong_stage", "fault/wrong_stage:fc1", "fault/wrong_stage::1",
                           "fault/wrong_stage:fc1:", "fault/wrong_stage:fc1:much", "fault/nothing"}) {
    EXPECT_EQ(fault_by_name(name), nullptr) << name;
  }
}

}  // namespace
}  // namespace deformdiff::worker
