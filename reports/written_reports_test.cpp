// Reports of real runs, as other programs read them: against the schemas of JUnit's XML and of our JSON, and
// the page in a browser. Each test skips where its program is missing.
#include "check/tampered_export_test.h"
#include "core/files.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

namespace fs = std::filesystem;

const fs::path kReports = fs::path(DEFORMDIFF_SOURCE) / "reports";

/// The exit code of a line for the shell, and what it printed.
struct Ran {
  int exit_code;
  std::string printed;
};

class WrittenReports : public testing::Test {
 protected:
  WrittenReports() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }

  Ran run(const std::string& line) const {
    const fs::path printed = folder_ / "printed";
    const int status =
        std::system(fmt::format("cd {} && {} > {} 2>&1", folder_.string(), line, printed.string()).c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(printed)};
  }

  bool has(const std::string& line) const { return run(line).exit_code == 0; }

  /// A report of this kind of each command, all with findings but the last.
  std::vector<fs::path> write(const std::string& kind) const {
    const std::string model = exported("reported", "decoder_layer", [](const Call&) -> Tamper {
      return [](const std::string& stage, const at::Tensor& value) {
        return is_stage(stage, "fc1") ? value * 1.01 : value;
      };
    });
    const std::string recorded =
        (fs::path(DEFORMDIFF_SOURCE) / "cases/decoder_layer/recorded/decoder_layer_pre_norm.safetensors")
            .string();
    const std::string swapped =
        " --map param.self_attn.k_proj.weight=param.self_attn.q_proj.weight"
        " --map param.self_attn.q_proj.weight=param.self_attn.k_proj.weight";
    std::vector<fs::path> reports;
    const auto report_of = [&](const std::string& name, const std::string& arguments, int wanted) {
      reports.push_back(folder_ / (name + "." + kind));
      const Ran ran = run(fmt::format("{} {} --quiet --progress never --report {}:{}", DEFORMDIFF_PROGRAM,
                                      arguments, kind, reports.back().string()));
      EXPECT_EQ(ran.exit_code, wanted) << ran.printed;
    };
    report_of("fuzz",
              "fuzz --block ms_deform_attn --subject cpu --subject cuda --subject fault/range_from_zero "
              "--subject fault/throws --cases 40 --seed 1 --first-finding --out out",
              1);
    report_of("replay", "replay out/findings/*.json", 1);
    report_of("judge", "judge " + recorded + swapped + " --out out", 1);
    report_of("check", "check " + model + " --out out", 1);
    report_of("clean", "fuzz --block ms_deform_attn --subject cpu --cases 20 --out out", 0);
    return reports;
  }

  fs::path folder_ = fs::path(DEFORMDIFF_OUT) / "written_reports" /
                     testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(WrittenReports, JunitKeepsTheSchemaOfCiSystems) {
  if (!has("xmllint --version")) GTEST_SKIP() << "no xmllint: Debian package libxml2-utils";
  const std::string validate =
      fmt::format("xmllint --noout --schema {} ", (kReports / "junit-10.xsd").string());
  for (const fs::path& report : write("junit")) {
    const Ran ran = run(validate + report.string());
    EXPECT_EQ(ran.exit_code, 0) << ran.printed;
  }
  write_file(folder_ / "wrong.xml", "<testsuites><testsuite name='no counts'/></testsuites>");
  EXPECT_NE(run(validate + "wrong.xml").exit_code, 0);
}

TEST_F(WrittenReports, JsonKeepsItsSchema) {
  if (!has("python3 -c 'import jsonschema'")) {
    GTEST_SKIP() << "python3 has no jsonschema: Debian package python3-jsonschema";
  }
  write_file(folder_ / "validate.py",
             "import json, jsonschema, sys\n"
             "schema = json.load(open(sys.argv[1]))\n"
             "jsonschema.Draft202012Validator.check_schema(schema)\n"
             "jsonschema.Draft202012Validator(schema).validate(json.load(open(sys.argv[2])))\n");
  const std::string validate =
      fmt::format("python3 validate.py {} ", (kReports / "report.schema.json").string());
  const std::vector<fs::path> reports = write("json");
  for (const fs::path& report : reports) {
    const Ran ran = run(validate + report.string());
    EXPECT_EQ(ran.exit_code, 0) << report << ran.printed;
  }
  nlohmann::json wrong = nlohmann::json::parse(read_file(reports.front()));
  wrong["findings"][0]["signature"].erase("rule");
  write_file(folder_ / "wrong.json", wrong.dump());
  EXPECT_NE(run(validate + "wrong.json").exit_code, 0);
}

/// A browser without a window.
constexpr const char* kBrowser =
    "chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files ";

std::uint32_t big_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = at; i < at + 4; ++i) number = number << 8 | static_cast<std::uint8_t>(bytes.at(i));
  return number;
}

TEST_F(WrittenReports, ThePageIsReadInABrowser) {
  if (!has("chromium --version")) GTEST_SKIP() << "no browser: Debian package chromium";
  for (const fs::path& page : write("html")) {
    const std::string name = page.stem().string();
    const Ran text = run(fmt::format("{} --dump-dom file://{} 2>/dev/null", kBrowser, page.string()));
    ASSERT_EQ(text.exit_code, 0) << text.printed;
    const char* const verdict = name == "clean"                      ? "<h1>Nothing found</h1>"
                                : name == "check" || name == "judge" ? "<h1>Diverges first at "
                                                                     : " in 2 implementations</h1>";
    EXPECT_NE(text.printed.find(verdict), std::string::npos) << page << text.printed.substr(0, 400);
    EXPECT_EQ(text.printed.find("class=\"corner\"") != std::string::npos, name == "fuzz" || name == "replay");

    if (name != "fuzz" && name != "check") continue;  // the others are made of the same parts
    for (const int width : {390, 1280}) {
      const fs::path picture = folder_ / fmt::format("{}-{}.png", name, width);
      run(fmt::format("{} --window-size={},1600 --screenshot={} file://{}", kBrowser, width, picture.string(),
                      page.string()));
      const std::string png = read_file(picture);
      ASSERT_TRUE(png.starts_with("\x89PNG")) << picture;
      EXPECT_EQ(big_endian(png, 16), static_cast<std::uint32_t>(width));
      constexpr std::size_t kBlank = 20'000;  // bytes; an empty page of this size has 8 kB
      EXPECT_GT(png.size(), kBlank) << picture;

      // Nothing sticks out at the side.
      write_file(
          folder_ / "frame.html",
          fmt::format(
              "<iframe id='f' style='width:{}px;height:900px;border:0' src='{}'></iframe><p id='w'></p>"
              "<script>onload = () => document.getElementById('w').textContent = 'width ' + "
              "document.getElementById('f').contentDocument.documentElement.scrollWidth</script>",
              width, page.filename().string()));
      const Ran frame = run(
          fmt::format("{} --dump-dom file://{} 2>/dev/null", kBrowser, (folder_ / "frame.html").string()));
      EXPECT_NE(frame.printed.find(fmt::format(">width {}<", width)), std::string::npos)
          << page << frame.printed;
    }
  }
}

TEST_F(WrittenReports, GithubHasItsSummaryAndAnnotations) {
  const std::string fuzz = fmt::format(
      "{} fuzz --block ms_deform_attn --subject fault/range_from_zero --cases 20 --seed 1 --no-shrink "
      "--first-finding "
      "--out out --progress never --report github",
      DEFORMDIFF_PROGRAM);
  write_file(folder_ / "summary.md", "before\n");
  const Ran ran = run("GITHUB_STEP_SUMMARY=summary.md " + fuzz);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_TRUE(ran.printed.starts_with("::error file=out/findings/")) << ran.printed;
  EXPECT_EQ(ran.printed.find("## deformdiff"), std::string::npos);
  EXPECT_TRUE(read_file(folder_ / "summary.md").starts_with("before\n## deformdiff fuzz\n"));

  const Ran shown = run("env -u GITHUB_STEP_SUMMARY " + fuzz);
  EXPECT_NE(shown.printed.find("## deformdiff fuzz\n"), std::string::npos) << shown.printed;
  const Ran filed = run("GITHUB_STEP_SUMMARY=summary.md " + fuzz + ":own.md");
  EXPECT_TRUE(filed.printed.starts_with("::error")) << filed.printed;
  EXPECT_TRUE(read_file(folder_ / "own.md").starts_with("## deformdiff fuzz\n"));
}

}  // namespace
}  // namespace deformdiff::worker
