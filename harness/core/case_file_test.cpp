#include "core/case_file.h"

#include "core/arbitrary_case_test.h"
#include "core/files.h"
#include "core/test_folder.h"

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

std::ptrdiff_t files_in(const TestFolder& folder) {
  return std::distance(fs::directory_iterator(folder.path()), {});
}

void expect_equal(const SavedCase& a, const SavedCase& b) {
  RC_ASSERT(a.problem == b.problem);
  RC_ASSERT(a.earlier_calls == b.earlier_calls);
  RC_ASSERT(a.expectation == b.expectation);
  RC_ASSERT(a.subject == b.subject);
  RC_ASSERT(a.subject_sha256 == b.subject_sha256);
  RC_ASSERT(a.signature == b.signature);
  RC_ASSERT(a.reproduction == b.reproduction);
  RC_ASSERT(a.note == b.note);
}

RC_GTEST_PROP(CaseFile, RoundTripIsByteExact, ()) {
  const TestFolder folder;
  const SavedCase saved = testing::arbitrary_saved_case();
  write_case(folder / "a.json", saved);
  expect_equal(read_case(folder / "a.json"), saved);
}

Tensor ramp(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return Tensor::of<float>(DType::kFloat32, {count}, values);
}

SavedCase saved_ramp(std::int64_t count) {
  SavedCase saved;
  saved.problem = {"ms_deform_attn", {{"im2col_step", 64}}, {{"value", ramp(count)}}, {}};
  saved.expectation = "agree";
  return saved;
}

TEST(CaseFile, LargeTensorsGoBesideAndOldCompanionsGo) {
  const TestFolder folder;
  write_case(folder / "a.json", saved_ramp(5000));
  EXPECT_EQ(files_in(folder), 2);
  EXPECT_EQ(read_case(folder / "a.json").problem, saved_ramp(5000).problem);
  write_case(folder / "a.json", saved_ramp(6000));
  EXPECT_EQ(files_in(folder), 2);
  EXPECT_EQ(read_case(folder / "a.json").problem, saved_ramp(6000).problem);
  write_case(folder / "a.json", saved_ramp(3));
  EXPECT_EQ(files_in(folder), 1);
}

std::string refusal(const std::string& text, const fs::path& folder = ".") {
  try {
    parse_case(text, "case.json", folder);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CaseFile, RefusesAChangedCompanion) {
  const TestFolder folder;
  write_case(folder / "a.json", saved_ramp(5000));
  const std::string text = read_file(folder / "a.json");
  for (const auto& entry : fs::directory_iterator(folder / ".")) {
    if (entry.path().extension() != ".safetensors") continue;
    std::string bytes = read_file(entry.path());
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(entry.path(), bytes);
  }
  EXPECT_NE(refusal(text, folder / ".").find("inputs.value.sha256: "), std::string::npos)
      << refusal(text, folder / ".");
  EXPECT_NE(refusal(text, folder / "elsewhere").find("inputs.value.file: "), std::string::npos);
}

constexpr const char* kSmall = R"({
  "deformdiff_case": 1,
  "block": "ms_deform_attn",
  "expect": "agree",
  "attributes": {"im2col_step": 64},
  "inputs": {
    "value": {"dtype": "float32", "shape": [2], "data": [1, "nan"]}
  }
})";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = kSmall;
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(CaseFile, RefusalsNameFileFieldAndReason) {
  EXPECT_EQ(refusal(kSmall), "accepted");
  EXPECT_EQ(refusal(replaced("[1, \"nan\"]", "[1, \"what\"]")).find("case.json: inputs.value.data[1]: "), 0U);
  EXPECT_EQ(refusal(replaced("[2]", "[3]")).find("case.json: inputs.value: 8 bytes given"), 0U);
  EXPECT_EQ(refusal(replaced("float32", "float8")), "case.json: inputs.value.dtype: no such dtype");
  EXPECT_EQ(refusal(replaced("\"expect\": \"agree\",", "")),
            "case.json: the file: field 'expect' is missing");
  EXPECT_EQ(refusal(replaced("\"agree\"", "\"fine\"")), "case.json: expect: no such verdict");
  EXPECT_EQ(refusal(replaced("_case\": 1", "_case\": 2")),
            "case.json: deformdiff_case: only version 1 of the format is known");
  EXPECT_EQ(refusal(replaced("\"expect\"", "\"colour\": 1, \"expect\"")),
            "case.json: the file: unknown field 'colour'");
  EXPECT_EQ(refusal(replaced("\"expect\"", "\"block\": \"b\", \"expect\"")),
            "case.json: field 'block' is there twice");
  EXPECT_NE(refusal(replaced("\"expect\": \"agree\",", "\"expect\": \"agree\"")).find("line 5"),
            std::string::npos);
  EXPECT_EQ(refusal(replaced("\"expect\"", "\"reproduction\": {\"seen\": 3, \"runs\": 2}, \"expect\"")),
            "case.json: reproduction.seen: a number of these runs wanted");
  EXPECT_EQ(refusal(replaced("64", "6.5")), "accepted");
  EXPECT_EQ(refusal(replaced("64", "true")), "case.json: attributes.im2col_step: a finite number wanted");
}

TEST(CaseFile, CompanionsOutsideTheFolderAreRefused) {
  const std::string data = R"("data": [1, "nan"])";
  for (const char* name : {"../x.safetensors", "/etc/passwd", "", "a/b"}) {
    const std::string text =
        replaced(data, std::string(R"("file": ")") + name + R"(", "sha256": "", "tensor": "value")");
    EXPECT_EQ(refusal(text), "case.json: inputs.value.file: the name of a file beside this one wanted");
  }
}

TEST(CaseFile, AFolderThatIsNotThereIsAnInputError) {
  const TestFolder folder;
  EXPECT_THROW(write_case(folder / "none/a.json", saved_ramp(3)), InputError);
  EXPECT_THROW(read_case(folder / "none.json"), InputError);
  EXPECT_THROW(read_case(folder / "."), InputError);
}

TEST(CaseFile, ReadsWellInADiff) {
  const TestFolder folder;
  SavedCase saved = saved_ramp(3);
  const std::vector<double> rows{0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5,
                                 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, -0.0};
  saved.problem.inputs.push_back({"rows", Tensor::of<double>(DType::kFloat64, {2, 10}, rows)});
  saved.note = "a ramp";
  write_case(folder / "a.json", saved);
  EXPECT_EQ(read_file(folder / "a.json"), R"({
  "deformdiff_case": 1,
  "note": "a ramp",
  "block": "ms_deform_attn",
  "expect": "agree",
  "attributes": {"im2col_step": 64},
  "inputs": {
    "value": {"dtype": "float32", "shape": [3], "data": [0, 1, 2]},
    "rows": {"dtype": "float64", "shape": [2, 10], "data": [
      0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5,
      5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, -0.0]}
  }
}
)");
}

}  // namespace
}  // namespace deformdiff
