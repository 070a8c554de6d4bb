// Every block has all its parts: a new one that lacks one fails here.
#include "catalog/catalog.h"

#include "blocks/block_list.h"
#include "catalog/addresses.h"
#include "core/case_file.h"
#include "core/error.h"
#include "core/files.h"
#include "core/mixed_types.h"
#include "engine/stopwatch.h"

#include <algorithm>
#include <filesystem>
#include <regex>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

TEST(Catalog, EveryBlockHasOraclesStagesGeneratorAndShrinks) {
  ASSERT_FALSE(blocks().empty());
  for (const BlockEntry& entry : blocks()) {
    ASSERT_NE(entry.operations, nullptr) << entry.block->name();
    ASSERT_NE(entry.generator, nullptr) << entry.block->name();
    const Case c = entry.generator->generate(0, {}, 0);
    EXPECT_EQ(c.block, entry.block->name());
    EXPECT_NO_THROW(entry.block->validate(c));
    for (const Stage& stage : entry.block->stages(c)) {
      EXPECT_NO_THROW(entry.operations(stage.operation, stage.dtype)) << stage.name;
    }
    EXPECT_FALSE(stage_families(entry).empty()) << entry.block->name();
    EXPECT_TRUE(entry.shrinks(c)().has_value()) << entry.block->name();
    EXPECT_EQ(&find_block(entry.block->name()), &entry);
  }
}

TEST(Catalog, InMixedTypesOfAModelTheParametersOfNormsAreFloat32) {
  const BlockEntry& entry = find_block("decoder_layer");
  int mixed = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const Case c = entry.generator->generate(1, {"typical"}, i);
    const auto narrow = mixed_dtype(c);
    if (!narrow) continue;
    ++mixed;
    EXPECT_NO_THROW(entry.block->validate(c));
    for (const auto& [name, tensor] : c.inputs) {
      if (!is_floating(tensor.dtype())) continue;
      const bool norm = name.find("layer_norm") != std::string::npos;
      EXPECT_EQ(tensor.dtype(), norm ? DType::kFloat32 : *narrow) << name;
    }
    const std::vector<std::string> hit = entry.generator->triggers_hit(c);
    EXPECT_EQ(std::ranges::count(hit, "mixed_types"), 1);
  }
  EXPECT_GT(mixed, 3);
}

TEST(Catalog, ListsEveryDefinition) {
  for (const BlockDefinition* block : block_definitions()) {
    EXPECT_EQ(find_block(block->name()).block, block) << block->name();
  }
}

TEST(Catalog, EveryBlockHasValidSmokeCases) {
  for (const BlockEntry& entry : blocks()) {
    const fs::path folder = fs::path(DEFORMDIFF_CASES) / entry.block->name() / "smoke";
    int count = 0;
    for (const auto& file : fs::directory_iterator(folder)) {
      if (file.path().extension() != ".json") continue;
      const SavedCase saved = read_case(file.path());
      EXPECT_NO_THROW(entry.block->validate(saved.problem)) << file.path();
      EXPECT_EQ(saved.expectation, "agree") << file.path();
      EXPECT_TRUE(saved.subject.empty()) << file.path();
      ++count;
    }
    EXPECT_GT(count, 0) << folder;
  }
}

TEST(Catalog, AllButTheOperatorAndItsBackwardAreDeep) {
  for (const BlockEntry& entry : blocks()) {
    const std::string name = entry.block->name();
    EXPECT_EQ(is_deep(entry), name != "ms_deform_attn" && name != "ms_deform_attn_backward") << name;
  }
}

TEST(Catalog, UnknownBlocksAreRefused) {
  EXPECT_THROW(find_block("no_such_block"), InputError);
  EXPECT_THROW(find_block("attention"), InputError);
}

#if defined(DEFORMDIFF_HAS_WORKER)
TEST(Catalog, EveryBlockHasTwoSubjectsAndAFault) {
  for (const BlockEntry& entry : blocks()) {
    const auto serves = [&](const SubjectInfo& info) { return info.blocks.contains(entry.block->name()); };
    EXPECT_GE(std::ranges::count_if(builtin_subjects().subjects, serves), 2) << entry.block->name();
    EXPECT_TRUE(std::ranges::any_of(faults_and_controls().subjects, [&](const SubjectInfo& info) {
      return serves(info) && !info.faulty.empty();
    })) << entry.block->name();
  }
}

/// faults/tests.cmake runs every fault: a line "NAME=VERDICT" or "NAME@BLOCK=VERDICT" for each.
TEST(Catalog, EveryFaultIsATest) {
  const std::string list = read_file(DEFORMDIFF_FAULT_TESTS);
  for (const SubjectInfo& info : faults_and_controls().subjects) {
    if (info.faulty.empty()) continue;
    const std::string name = info.name.substr(info.name.find('/') + 1);
    std::smatch line;
    const std::regex pattern("[ \"]" + name + R"((?:@\w+)?=([\w|()]+))");
    ASSERT_TRUE(std::regex_search(list, line, pattern)) << "faults/tests.cmake has no line for " << info.name;
    EXPECT_NE(line.str(1).find(info.expected), std::string::npos) << info.name;
  }
  for (const BlockEntry& entry : blocks()) {
    if (!is_deep(entry)) continue;
    EXPECT_NE(list.find("@" + entry.block->name() + "="), std::string::npos)
        << "faults/tests.cmake has no fault of block " << entry.block->name();
  }
}

TEST(Catalog, CudaIsAlwaysListed) {
  EXPECT_TRUE(std::ranges::any_of(builtin_subjects().subjects,
                                  [](const SubjectInfo& info) { return info.name == "cuda"; }));
}

TEST(Addresses, WrongStagesAreMadeToMeasure) {
  const std::string name = "fault/wrong_stage:layers.0.fc1:1e-3";
  const SubjectSpec spec = parse_subject(name);
  EXPECT_EQ(spec.name, name);
  EXPECT_EQ(spec.command.subject, name);
  EXPECT_EQ(spec.command.argv.at(1), "--fault");
  for (const char* wrong : {"fault/wrong_stage:fc1", "fault/wrong_stage::1",
                            "fault/wrong_stage:fc1:", "fault/wrong_stage:fc1:much",
                            "fault/wrong_stage:fc1:1e-3x", "fault/wrong_stage:fc1:inf"}) {
    EXPECT_THROW(parse_subject(wrong), InputError) << wrong;
  }
}

TEST(Addresses, BlocksServed) {
  EXPECT_EQ(blocks_served(parse_subject("cpu"), {}).size(), blocks().size());
  // Listed, and made to measure.
  const std::set<std::string> served = blocks_served(parse_subject("fault/traced_block_stale_mask"), {});
  EXPECT_TRUE(served.contains("mask_predictor"));
  EXPECT_FALSE(served.contains("reference_points"));
  // A program that does not greet fails where it can be seen.
  const SubjectSpec broken{"broken", {{"/bin/false"}, "broken"}, {}, {}};
  EXPECT_EQ(blocks_served(broken, {}), std::set<std::string>{"ms_deform_attn"});
}

std::string why_not_asked(const std::vector<std::string>& argv, const Deadline& end) {
  try {
    ask_worker(argv, end);
  } catch (const InputError& error) {
    return error.what();
  }
  return "it said";
}

TEST(Addresses, AWorkerThatSaysNothingIsNotWaitedForLongerThanTheRunMayTake) {
  const Stopwatch watch;
  EXPECT_EQ(why_not_asked({"/bin/sleep", "100"}, Deadline().within(0.5)),
            "/bin/sleep does not start: the time was up before it said what it serves");
  EXPECT_LT(watch.seconds(), 10);
  EXPECT_EQ(why_not_asked({"/bin/false"}, {}), "/bin/false does not start: left with exit code 1");
  EXPECT_FALSE(ask_worker({worker_program()}, {}).subjects.empty());
}

TEST(Addresses, NamesAndAddresses) {
  EXPECT_EQ(parse_subjects({"cpu", "cpu", "composite"}).size(), 2U);
  EXPECT_GE(parse_subjects({}).size(), 4U);
  EXPECT_EQ(parse_subject("cpu").command.subject, "cpu");
  const std::string library = fs::read_symlink("/proc/self/exe").string();
  const SubjectSpec spec =
      parse_subject("torchop:" + library + "#mine::ms_deform_attn?device=cuda&supports=D%8==0,L<=4");
  EXPECT_EQ(spec.name, "torchop:" + library + "#mine::ms_deform_attn?device=cuda&supports=D%8==0,L<=4");
  EXPECT_EQ(spec.library, library);
  EXPECT_EQ(spec.command.subject, library + "#mine");
  EXPECT_EQ(spec.command.argv.back(), "cuda");
  SubjectInfo info;
  spec.declare(info);
  EXPECT_EQ(info.supports, "D%8==0,L<=4");
}

TEST(Addresses, Refusals) {
  const std::string library = fs::read_symlink("/proc/self/exe").string();
  for (const std::string& bad :
       {std::string("gpu"), std::string("fault/none"), std::string("torchop:none.so#mine"),
        "torchop:" + library, "torchop:" + library + "#", "torchop:" + library + "#a::b",
        "torchop:" + library + "#mine?colour=red", "torchop:" + library + "#mine?deterministic=1,nosuch:0",
        std::string("torchscript:a.pt")}) {
    EXPECT_THROW(parse_subject(bad), InputError) << bad;
  }
}
#endif

}  // namespace
}  // namespace deformdiff
