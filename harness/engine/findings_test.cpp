#include "engine/findings.h"

#include "core/test_folder.h"

#include <cctype>
#include <limits>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

Case seven_numbers() {
  Case c;
  c.inputs = {{"x", Tensor::of<float>(DType::kFloat32, {7}, std::vector<float>(7))}};
  return c;
}

TEST(OneLine, SaysWhatWasFoundAndHowSmallTheCaseIs) {
  Comparison comparison;
  comparison.verdict = Verdict::kOutOfBound;
  comparison.reason = "output[0] = 2, wanted 1 +- 1e-07 (ratio 1e+07)";
  EXPECT_EQ(one_line("cpu", comparison, seven_numbers(), 0),
            "cpu: out_of_bound: output[0] = 2, wanted 1 +- 1e-07 (ratio 1e+07) on a case of 7 numbers");
  comparison.reason = "two\nlines";
  EXPECT_EQ(one_line("cpu", comparison, seven_numbers(), 2),
            "cpu: out_of_bound: two lines on a case of 7 numbers, depends on 2 earlier calls");
}

TEST(Decade, OfRatiosAndOfNone) {
  EXPECT_EQ(decade_of(31), 1);
  EXPECT_EQ(decade_of(1.5), 0);
  EXPECT_EQ(decade_of(3.3e5), 5);
  EXPECT_EQ(decade_of(0), 0);
  EXPECT_EQ(decade_of(std::numeric_limits<double>::infinity()), 0);
}

TEST(FindingId, IsSafeStableAndItsOwn) {
  Signature signature{"block", "torchop:/tmp/../x y.so#ns::op?a=b", "threw", "", "structure"};
  const std::string id = finding_id({signature, {}, {}});
  EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"),
            std::string::npos);
  EXPECT_EQ(finding_id({signature, {}, {}}), id);
  EXPECT_NE(finding_id({signature, {"flush_to_zero=1"}, {}}), id);
  signature.subject[0] = 'T';
  EXPECT_NE(finding_id({signature, {}, {}}), id);
}

TEST(SavedCase, NamesALibraryByAPathThatWorksFromAnyFolder) {
  Subject subject;
  subject.spec.name = "torchop:lib/mine.so#mine::ms_deform_attn?supports=D==8";
  subject.spec.library = "lib/mine.so";
  const Signature signature{"b", subject.spec.name, "threw", "", "structure"};
  const SavedCase saved = saved_case(subject, signature, {}, {}, {});
  EXPECT_EQ(saved.subject, "torchop:" + std::filesystem::absolute("lib/mine.so").string() +
                               "#mine::ms_deform_attn?supports=D==8");
  EXPECT_EQ(saved.signature->subject, subject.spec.name) << "as typed";
}

TEST(FindingId, BeginsWithALetter) {
  for (const char* const subject : {"-h", "--help", "/-h", "2fast", "__", "", "torchop:-x.so#a::op"}) {
    const std::string id = finding_id({{"block", subject, "threw", "", "structure"}, {}, {}});
    EXPECT_NE(std::isalpha(static_cast<unsigned char>(id.front())), 0) << subject << ": " << id;
  }
}

TEST(FindingBook, LeadsFromBothSignaturesToOneFinding) {
  const TestFolder folder;
  FindingBook book(folder.path());
  const Signature in_the_run{"b", "s", "out_of_bound", "output", "interior"};
  const Signature alone{"b", "s", "threw", "", "structure"};
  EXPECT_EQ(book.find({alone, {}, {}}), nullptr);
  Finding& finding = book.add({alone, {}, {}}, {});
  book.lead({in_the_run, {}, {}}, finding, {});
  EXPECT_EQ(book.find({alone, {}, {}}), &finding);
  EXPECT_EQ(book.find({in_the_run, {}, {}}), &finding);
  EXPECT_EQ(book.find({alone, {"flush_to_zero=1"}, {}}), nullptr);
  EXPECT_EQ(book.size(), 1U);
}

TEST(FindingBook, WhatShrinksToAnotherFindingIsThatOne) {
  const TestFolder folder;
  FindingBook book(folder.path());
  const Signature border{"b", "s", "out_of_bound", "output", "border"};
  const Signature interior{"b", "s", "out_of_bound", "output", "interior"};
  const Signature outside{"b", "s", "out_of_bound", "output", "outside"};
  Finding& first = book.add({interior, {}, {}}, {});
  first.count = 2;
  SavedCase saved;
  saved.problem.block = "b";
  saved.expectation = "out_of_bound";
  saved.problem.inputs = {{"x", Tensor(DType::kBool, {3}, Tensor::Bytes(3))}};
  book.save(first, saved);
  const std::filesystem::path old_path = first.case_path;
  EXPECT_EQ(&book.refile(first, {border, {}, {}}, saved, {}), &first);
  EXPECT_EQ(first.signature, border);
  EXPECT_NE(first.case_path, old_path);
  EXPECT_FALSE(std::filesystem::exists(old_path));
  EXPECT_TRUE(std::filesystem::exists(first.case_path));
  EXPECT_EQ(book.find({interior, {}, {}}), &first);

  Finding& second = book.add({outside, {}, {}}, {});
  second.count = 3;
  saved.problem.inputs = {{"x", Tensor(DType::kBool, {2}, Tensor::Bytes(2))}};
  EXPECT_EQ(&book.refile(second, {border, {}, {}}, saved, {}), &first);
  EXPECT_EQ(first.shrunk_elements, 2) << "the smaller case stays";
  EXPECT_EQ(element_count(read_case(first.case_path).problem), 2);
  EXPECT_EQ(book.size(), 1U);
  EXPECT_EQ(first.count, 5);
  EXPECT_EQ(book.find({outside, {}, {}}), &first);
}

TEST(FindingBook, AFindingThatCannotBeSavedSaysWhy) {
  const TestFolder folder;
  FindingBook book(folder.path());
  const Signature border{"b", "s", "out_of_bound", "output", "border"};
  const Signature interior{"b", "s", "out_of_bound", "output", "interior"};
  Finding& finding = book.add({border, {}, {}}, {});
  SavedCase saved;
  saved.problem = seven_numbers();
  saved.note = "what was found";
  std::filesystem::remove_all(folder.path());
  EXPECT_FALSE(book.save(finding, saved));
  EXPECT_NE(finding.not_saved.find("cannot be written"), std::string::npos) << finding.not_saved;
  EXPECT_EQ(finding.one_line, "what was found");
  EXPECT_EQ(finding.shrunk_elements, 7);

  std::filesystem::create_directories(folder.path());
  EXPECT_TRUE(book.save(finding, saved));
  EXPECT_EQ(finding.not_saved, "");
  // From here on there is a file, whatever becomes of smaller ones.
  const std::filesystem::path kept = finding.case_path;
  std::filesystem::create_directories(folder / (finding_id({interior, {}, {}}) + ".json"));
  EXPECT_EQ(&book.refile(finding, {interior, {}, {}}, saved, {}), &finding);
  EXPECT_EQ(finding.case_path, kept);
  EXPECT_TRUE(std::filesystem::is_regular_file(kept));
  EXPECT_EQ(finding.not_saved, "");
}

TEST(FindingBook, AFolderThatCannotBeMadeIsBadInput) {
  EXPECT_THROW(FindingBook("/dev/null/findings"), InputError);
}

}  // namespace
}  // namespace deformdiff
