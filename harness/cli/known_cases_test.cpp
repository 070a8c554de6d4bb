#include "cli/known_cases.h"

#include "core/case_file.h"
#include "core/error.h"
#include "core/files.h"
#include "core/test_folder.h"

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

namespace fs = std::filesystem;

class KnownCasesTest : public testing::Test {
 protected:
  void keep(const std::string& where, const Signature& signature) const {
    fs::create_directories(folder_ / "toy" / where);
    SavedCase saved;
    saved.problem.block = "toy";
    saved.expectation = where == "open" ? "out_of_bound" : "agree";
    saved.signature = signature;
    write_case(folder_ / "toy" / where / (signature.element_class + ".json"), saved);
  }

  Finding marked(const Signature& signature) const {
    std::vector<Finding> findings(1);
    findings[0].signature = signature;
    KnownCases(folder_.path()).mark(findings);
    return findings[0];
  }

  const TestFolder folder_;
};

Signature of_class(const std::string& element_class) {
  return {"toy", "torchop:/there/libmine.so#mine?dtypes=float32", "out_of_bound", "output", element_class};
}

TEST_F(KnownCasesTest, AreTheSameByTheirSignature) {
  keep("open", of_class("border"));
  keep("regression", of_class("interior"));
  EXPECT_EQ(marked(of_class("border")).status, FindingStatus::kKnown);
  EXPECT_EQ(marked(of_class("border")).kept_case, folder_ / "toy" / "open" / "border.json");
  EXPECT_EQ(marked(of_class("interior")).status, FindingStatus::kRegression);
  EXPECT_EQ(marked(of_class("outside")).status, FindingStatus::kNew);
  EXPECT_EQ(marked(of_class("outside")).kept_case, "");
}

TEST_F(KnownCasesTest, ALibraryMayHaveMoved) {
  keep("open", of_class("border"));
  Signature moved = of_class("border");
  moved.subject = "torchop:libmine.so#mine?dtypes=float32";
  EXPECT_EQ(marked(moved).status, FindingStatus::kKnown);
  for (const char* another :
       {"torchop:/there/libours.so#mine?dtypes=float32", "torchop:libmine.so#mine", "cpu"}) {
    moved.subject = another;
    EXPECT_EQ(marked(moved).status, FindingStatus::kNew) << another;
  }
}

TEST_F(KnownCasesTest, WhatIsOpenIsKnownWhateverElseWasFixed) {
  keep("regression", of_class("border"));
  keep("open", of_class("border"));
  EXPECT_EQ(marked(of_class("border")).status, FindingStatus::kKnown);
}

TEST_F(KnownCasesTest, ACaseThatCannotBeReadIsNamed) {
  keep("open", of_class("border"));
  write_file(folder_ / "toy" / "open" / "broken.json", "{");
  try {
    KnownCases{folder_.path()};
    FAIL() << "it was read";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("broken.json"), std::string::npos) << error.what();
  }
}

TEST(WithoutFolder, TakesThePathOfAnAddressAlone) {
  EXPECT_EQ(without_folder("torchop:/a/b/lib.so#m?x=a/b"), "torchop:lib.so#m?x=a/b");
  EXPECT_EQ(without_folder("torchop:lib.so#m"), "torchop:lib.so#m");
  EXPECT_EQ(without_folder("traced/op"), "traced/op");
  EXPECT_EQ(without_folder("fault/wrong_stage:a:1e-3"), "fault/wrong_stage:a:1e-3");
}

}  // namespace
}  // namespace deformdiff::cli
