#include "core/files.h"
#include "engine/compare.h"
#include "reports/canary_test.h"
#include "reports/html/charts.h"
#include "reports/html/drawings.h"
#include "reports/html/markup.h"
#include "reports/html/sections.h"
#include "reports/sample_run_test.h"

#include <filesystem>
#include <limits>
#include <numeric>
#include <pugixml.hpp>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff::html {
namespace {

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Whether every element is closed and every attribute quoted.
testing::AssertionResult is_well_formed(const std::string& text) {
  pugi::xml_document document;
  const auto result = document.load_string(("<all>" + text + "</all>").c_str());
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.description() << " at "
                                     << text.substr(static_cast<std::size_t>(result.offset) - 5, 120);
}

std::string main_of(const std::string& page) {
  const std::size_t begin = page.find("<main");
  return page.substr(begin, page.find("</main>") + 7 - begin);
}

/// Saved cases in a folder of the test's own.
class HtmlReport : public testing::Test {
 protected:
  HtmlReport() { std::filesystem::create_directories(folder_); }
  ~HtmlReport() override { std::filesystem::remove_all(folder_); }

  Finding saved(const Case& problem, const std::string& name) const {
    Finding finding = operator_finding();
    finding.case_path = folder_ / name;
    write_case(finding.case_path, {problem, {}, "out_of_bound", "mine", "", finding.signature, {}, ""});
    return finding;
  }

  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("HtmlReport_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST(Markup, EscapesWhateverTextHolds) {
  EXPECT_EQ(escaped("<a href=\"x\">&\x01"), "&lt;a href=&quot;x&quot;&gt;&amp;?");
}

TEST(Markup, DataIsBase64) {
  // RFC 4648, section 10.
  EXPECT_EQ(data_uri("foobar"), "data:application/json;base64,Zm9vYmFy");
  EXPECT_EQ(data_uri("fooba"), "data:application/json;base64,Zm9vYmE=");
  EXPECT_EQ(data_uri("foob"), "data:application/json;base64,Zm9vYg==");
  EXPECT_EQ(data_uri("\xff\xff\xff"), "data:application/json;base64,////");
}

TEST(Markup, CoordinatesAreShort) {
  EXPECT_EQ(coordinate(12), "12");
  EXPECT_EQ(coordinate(1.5), "1.5");
  EXPECT_EQ(coordinate(-0.126), "-0.13");
  EXPECT_EQ(coordinate(100), "100");
}

TEST(IntervalDrawing, PutsWhatCameAndWhatIsRightOnOneScale) {
  // 2 .. 2.25 is right and 0.25 came: on 288 pixels from 16 on, the centre 2.125 lies at 286.
  const std::string text = interval_drawing(wrong_element());
  EXPECT_TRUE(holds(text, "d=\"M16 32l7 7l-7 7l-7 -7z\"")) << text;
  EXPECT_TRUE(holds(text, "<rect class=\"band\" x=\"268\" y=\"31\" width=\"36\"")) << text;
  EXPECT_TRUE(holds(text, ">got 0.25<"));
  EXPECT_TRUE(holds(text, ">wanted 2.125 \u00b1 0.12<"));
  EXPECT_TRUE(is_well_formed(text));
}

TEST(IntervalDrawing, IsEmptyWithoutFiniteNumbers) {
  WrongElement worst = wrong_element();
  worst.got = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(interval_drawing(worst), "");
  worst.got = 1;
  worst.bound = std::numeric_limits<double>::infinity();
  EXPECT_EQ(interval_drawing(worst), "");
}

TEST(PositionDrawing, MarksTheElementAndTheOthersOfItsSlice) {
  // Slice 1 of [2, 2, 3]: element [1, 1, 2] at the lower right, [1, 0, 0] wrong too, [0, 0, 1] elsewhere.
  const std::string text = position_drawing({"out", {2, 2, 3}, 11, 0, 1, 0, {1, 6, 11}});
  EXPECT_TRUE(holds(text, "class=\"worst\" d=\"M45 23h22v22h-22z\"")) << text;
  EXPECT_TRUE(holds(text, "class=\"wrongs\" d=\"M1 1h22v22h-22zM45 23h22v22h-22z\"")) << text;
  EXPECT_TRUE(holds(text, "<code>out[1, 1, 2]</code> in out[1, :, :] of shape [2, 2, 3]")) << text;
  EXPECT_TRUE(is_well_formed(text));
  EXPECT_EQ(position_drawing(wrong_element()), "");
}

TEST(PositionDrawing, OfMoreThanAreListedMarksTheElementAlone) {
  std::vector<std::int64_t> wrong(Comparison::kListed);
  std::iota(wrong.begin(), wrong.end(), 0);
  const std::string text = position_drawing({"out", {10, 10}, 99, 0, 1, 0, wrong});
  EXPECT_TRUE(holds(text, "class=\"wrongs\" d=\"\"")) << text;
  EXPECT_TRUE(holds(text, "64 elements or more are wrong")) << text;
}

TEST(PositionDrawing, OfALargeOutputHasSquaresOfSeveralElements) {
  const std::string text = position_drawing({"out", {100, 1000}, 99'999, 0, 1, 0, {99'999}});
  EXPECT_TRUE(holds(text, "a square is 7 \u00d7 42 elements")) << text;
  EXPECT_LT(text.size(), 4000U);
}

TEST(OperatorDrawing, ShowsValuesThePointAndItsFourCells) {
  const std::string text = operator_drawing(operator_case(), wrong_element());
  for (const char* const value : {">1<", ">6<"}) EXPECT_TRUE(holds(text, value)) << text;
  // Cells of 42 behind a margin of 22; column 0 and row 0 are the second ones. The point is at column 0.25,
  // row 1.5, its cells' first at column 0, row 1.
  EXPECT_TRUE(holds(text, "class=\"corner\" d=\"M64 106h84v84h-84z\"")) << text;
  EXPECT_TRUE(holds(text, "<circle class=\"point\" cx=\"95.5\" cy=\"148\"")) << text;
  EXPECT_TRUE(holds(text, "point 0 at row 1.5, column 0.25 with weight 0.5")) << text;
  EXPECT_TRUE(is_well_formed(text));
}

TEST(OperatorDrawing, OfALargeMapShowsThePartAroundThePoint) {
  Case c = operator_case();
  const std::vector<float> value(10'000, 7), location{0.505F, 0.005F};
  c.inputs[0].tensor = Tensor::of<float>(DType::kFloat32, {1, 10'000, 1, 1}, std::span(value));
  c.inputs[1].tensor = int64_tensor({1, 2}, {100, 100});
  c.inputs[3].tensor = Tensor::of<float>(DType::kFloat32, {1, 1, 1, 1, 1, 2}, std::span(location));
  const std::string text = operator_drawing(c, wrong_element());
  EXPECT_TRUE(holds(text, "rows -1 to 5 and columns 46 to 52 are shown")) << text;
  EXPECT_TRUE(holds(text, "point 0 at row")) << text;
  EXPECT_LT(text.size(), 12'000U);
}

TEST(RatioChart, TellsWhatLiesBeyondTheBound) {
  RatioHistogram ratios;
  ratios.add(std::vector<float>{0.75F, 1.0F}, 1);
  EXPECT_TRUE(holds(ratio_chart(ratios, "x"), "<path class=\"over\" d=\"\"/>"));
  ratios.add(std::vector<float>{3.0F}, 3);
  // 3 lies in the 26th octave from 2^-24 on.
  EXPECT_TRUE(holds(ratio_chart(ratios, "x"), "<path class=\"over\" d=\"M144 ")) << ratio_chart(ratios, "x");
  EXPECT_TRUE(holds(ratio_chart(ratios, "x"), "M150 ")) << ratio_chart(ratios, "x");
  EXPECT_TRUE(is_well_formed(ratio_chart(ratios, "a <b>")));
  EXPECT_EQ(ratio_chart({}, "x"), "");
}

TEST(PlaceChart, StandsOutWhereErrorsSitElsewhere) {
  PlaceCounts counts{1, kAxisParts, std::vector<std::int64_t>(kAxisParts, 60),
                     std::vector<std::int64_t>(kAxisParts, 60)};
  EXPECT_FALSE(place_chart("query", counts).stands_out);
  counts.wrong = std::vector<std::int64_t>(kAxisParts, 0);
  counts.wrong.back() = 60 * kAxisParts;
  const PlaceChart chart = place_chart("query", counts);
  EXPECT_TRUE(chart.stands_out);
  EXPECT_TRUE(holds(chart.figure, "most in excess at part 16 of 16: 960 of errors, 60 drawn"))
      << chart.figure;
  EXPECT_TRUE(holds(chart.figure, "<path class=\"h5\" d=\"M256 1h")) << chart.figure;
  EXPECT_TRUE(is_well_formed(chart.figure));
}

TEST(PlaceChart, OnAMapEveryPointCounts) {
  // Twice as many elements are drawn as are wrong, all of them in two cells.
  PlaceCounts counts{2, 2, {10, 10, 0, 0}, {20, 20, 0, 0}};
  EXPECT_FALSE(place_chart("map", counts).stands_out);
  EXPECT_TRUE(holds(place_chart("map", counts).figure, "class=\"h2\""));
  counts.wrong = {20, 0, 0, 0};
  const PlaceChart chart = place_chart("map", counts);
  EXPECT_TRUE(chart.stands_out);
  EXPECT_TRUE(holds(chart.figure, "row 1, column 1 of 2 \u00d7 2: 20 of errors, 20 drawn")) << chart.figure;
  counts.wrong = {1, 0, 0, 0};
  counts.drawn = {0, 1, 0, 0};
  EXPECT_EQ(place_chart("map", counts).figure, "");
}

TEST(PlaceChart, TheErrorsOfTwoCasesAreNoPattern) {
  PlaceCounts counts{1, kAxisParts, std::vector<std::int64_t>(kAxisParts, 0),
                     std::vector<std::int64_t>(kAxisParts, 2)};
  counts.wrong.back() = 32;
  EXPECT_FALSE(place_chart("query", counts).stands_out);
}

TEST_F(HtmlReport, DrawsTheFindingAndHoldsItsCase) {
  RunReport report = sample_run();
  report.session.findings = {saved(operator_case(), "a.json")};
  report.session.findings[0].group = "All vanish with one point.";
  const std::string page = html_report(report);
  EXPECT_TRUE(is_well_formed(main_of(page)));
  for (const std::string& part :
       {std::string("<h1>1 failure in mine</h1>"), std::string("All vanish with one point."),
        "deformdiff replay " + report.session.findings[0].case_path.string(),
        data_uri(read_file(report.session.findings[0].case_path)), std::string("class=\"corner\""),
        std::string("class=\"band\""), std::string("<code>inf_value</code>: an infinity in value"),
        std::string("not_run: no CUDA device")}) {
    EXPECT_TRUE(holds(page, part)) << part;
  }
}

TEST_F(HtmlReport, DrawsAnIntervalOnlyWhereOneWasLeft) {
  RunReport report = sample_run();
  report.session.findings[0].signature.rule = "nonfinite_mismatch";
  EXPECT_FALSE(holds(html_report(report), "class=\"band\""));
}

TEST_F(HtmlReport, NeedsNothingButItself) {
  RunReport report = sample_run();
  report.session.findings = {saved(operator_case(), "a.json")};
  const std::string page = html_report(report);
  for (const char* const part : {"<script", "src=", "@import", "url(", "http:", "https:", "<link"}) {
    EXPECT_FALSE(holds(page, part)) << part;
  }
}

TEST_F(HtmlReport, ACaseInSeveralFilesOrOfManyNumbersIsNoDownload) {
  Case large = operator_case();
  const std::vector<float> value(kInlineElements + 1, 1);
  large.inputs[0].tensor =
      Tensor::of<float>(DType::kFloat32, {1, kInlineElements + 1, 1, 1}, std::span(value));
  Case long_one = operator_case();
  const std::vector<float> fractions(2000, 1.0F / 3);
  long_one.inputs[0].tensor = Tensor::of<float>(DType::kFloat32, {1, 2000, 1, 1}, std::span(fractions));
  RunReport report = sample_run();
  report.session.findings = {saved(large, "a.json"), saved(long_one, "b.json")};
  const std::string page = html_report(report);
  EXPECT_FALSE(holds(page, "data:"));
  EXPECT_TRUE(holds(page, "class=\"corner\""));
}

TEST_F(HtmlReport, ACaseThatCannotBeReadIsStillAFinding) {
  RunReport report = sample_run();
  report.session.findings[0].case_path = folder_ / "none.json";
  const std::string page = html_report(report);
  EXPECT_TRUE(holds(page, "deformdiff replay " + (folder_ / "none.json").string()));
  EXPECT_FALSE(holds(page, "class=\"corner\""));
  report.session.findings[0].not_saved = "disk full";
  EXPECT_TRUE(holds(html_report(report), "Not saved: disk full"));
}

TEST_F(HtmlReport, OfTwoHundredFindingsStaysBelowTwoMegabytes) {
  Case c = operator_case();
  const std::vector<float> value(400, 1.0F / 3), location(32, 0.3F), weight(16, 1.0F / 16);
  c.inputs[0].tensor = Tensor::of<float>(DType::kFloat32, {1, 400, 1, 1}, std::span(value));
  c.inputs[1].tensor = int64_tensor({1, 2}, {20, 20});
  c.inputs[3].tensor = Tensor::of<float>(DType::kFloat32, {1, 1, 1, 1, 16, 2}, std::span(location));
  c.inputs[4].tensor = Tensor::of<float>(DType::kFloat32, {1, 1, 1, 1, 16}, std::span(weight));
  RunReport report = sample_run();
  report.session.findings.assign(200, saved(c, "a.json"));
  const std::string page = html_report(report);
  EXPECT_LT(page.size(), 2'000'000U);
  EXPECT_GT(page.size(), 1'000'000U);
  EXPECT_TRUE(holds(page, "id=\"f200\""));
  EXPECT_TRUE(holds(page, "Not drawn, to keep the page small."));
}

TEST_F(HtmlReport, MarksTheFirstStageAtFaultAndBeginsWithItsRun) {
  const std::string page = html_report(sample_check());
  EXPECT_TRUE(is_well_formed(main_of(page)));
  EXPECT_TRUE(holds(page, "<h1>Diverges first at fc2</h1>"));
  EXPECT_TRUE(holds(page, "<tr class=\"wrong first\"><td class=\"rail\"></td><th scope=\"row\">fc2 "))
      << page;
  EXPECT_LT(page.find("<b>transposed</b>"), page.find("<b>same_shape</b>"));
  EXPECT_TRUE(holds(page, "<details open=\"\"><summary><b>transposed</b>")) << page;
  EXPECT_TRUE(holds(page, ">inherited<"));
  EXPECT_TRUE(holds(page, "Cause: <b>wrong_stage</b>"));
}

TEST_F(HtmlReport, SaysWhetherAllIsWell) {
  RunReport report = sample_run();
  report.session.findings.clear();
  report.session.subjects.erase(report.session.subjects.begin() + 1);
  report.exit_code = 0;
  EXPECT_TRUE(holds(html_report(report), "<div class=\"verdict good\"><h1>Nothing found</h1>"));
  report.session.canaries = {fault_canary("fault/b", false, 5)};
  EXPECT_TRUE(holds(html_report(report), "<h1>1 canary did not get the verdict it must get</h1>"));
  report.session.canaries.clear();
  report.exit_code = 1;
  EXPECT_TRUE(holds(html_report(report), "what was required was not run"));
  report.session.subjects.erase(report.session.subjects.begin());
  EXPECT_TRUE(holds(html_report(report), "<div class=\"verdict note\"><h1>Nothing was judged</h1>"));
}

}  // namespace
}  // namespace deformdiff::html
