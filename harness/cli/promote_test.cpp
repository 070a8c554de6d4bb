#include "cli/promote.h"

#include "cli/cases_folder.h"
#include "cli/origin.h"
#include "core/error.h"
#include "core/files.h"
#include "core/test_folder.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

namespace fs = std::filesystem;

class Promote : public testing::Test {
 protected:
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

  const TestFolder folder_;
};

/// With a tensor so large that it lies in a companion.
SavedCase finding() {
  SavedCase saved;
  saved.problem.block = "ms_deform_attn";
  saved.problem.inputs = {
      {"value", Tensor(DType::kUInt8, {kInlineElements + 1}, Tensor::Bytes(kInlineElements + 1))}};
  saved.expectation = "out_of_bound";
  saved.subject = "torchop:/there/libmine.so#mine";
  saved.subject_sha256 = "abc";
  saved.signature = {"ms_deform_attn", "torchop:libmine.so#mine", "out_of_bound", "output", "border"};
  return saved;
}

TEST_F(Promote, ACaseIsPlacedWithItsCompanionAndNothingElse) {
  const SavedCase saved = finding();
  place_case(folder_.path(), "some", saved);
  ASSERT_EQ(files().size(), 2U);
  EXPECT_EQ(files()[1], "some.json");
  EXPECT_EQ(read_case(folder_ / "some.json").problem, saved.problem);
}

TEST_F(Promote, WhatIsThereStays) {
  place_case(folder_.path(), "some", finding());
  const std::string before = read_file(folder_ / "some.json");
  SavedCase other = finding();
  other.note = "another";
  other.problem.inputs.push_back(other.problem.inputs.front());
  other.problem.inputs.back().name = "more";
  EXPECT_THROW(place_case(folder_.path(), "some", other), InputError);
  EXPECT_EQ(read_file(folder_ / "some.json"), before);
  EXPECT_EQ(files().size(), 2U) << "a companion is left behind";
}

TEST_F(Promote, ACaseIsRemovedWithItsOwnCompanionAlone) {
  place_case(folder_.path(), "some", finding());
  place_case(folder_.path(), "some.more", finding());
  remove_case(folder_ / "some.json");
  ASSERT_EQ(files().size(), 2U);
  EXPECT_EQ(files()[1], "some.more.json");
  EXPECT_NO_THROW(read_case(folder_ / "some.more.json"));
  EXPECT_THROW(remove_case(folder_.path()), InputError) << "a folder that is not empty";
}

TEST(Regression, EveryImplementationMustAgreeAndTheSignatureSaysWhereItCameFrom) {
  const SavedCase fixed = as_regression(finding());
  EXPECT_EQ(fixed.expectation, "agree");
  EXPECT_EQ(fixed.subject, "");
  EXPECT_EQ(fixed.signature->subject, "torchop:/there/libmine.so#mine");
  EXPECT_EQ(fixed.subject_sha256, "abc");
}

TEST(Regression, WhatItCameFromMustFailUnlessItIsAnotherNow) {
  SavedCase fixed = as_regression(finding());
  EXPECT_EQ(origin_must(finding(), "def"), OriginMust::kFail);
  EXPECT_EQ(origin_must(fixed, "abc"), OriginMust::kFail);
  EXPECT_EQ(origin_must(fixed, "def"), OriginMust::kAgree);
  fixed.subject_sha256.clear();
  fixed.signature->subject = "cpu";
  EXPECT_EQ(origin_must(fixed, ""), OriginMust::kAgree);
  fixed.signature->subject = "fault/half_pixel";
  EXPECT_EQ(origin_must(fixed, ""), OriginMust::kFail);
}

TEST_F(Promote, ATypedFolderOfCasesMustBeThere) {
  EXPECT_EQ(find_cases_folder(folder_.path(), "--cases"), folder_.path());
  EXPECT_THROW(find_cases_folder(folder_ / "nosuch", "--cases"), InputError);
}

}  // namespace
}  // namespace deformdiff::cli
