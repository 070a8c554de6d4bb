// What `deformdiff check` saves of its findings: replayed, explained and shrunk from another folder.
#include "check/tampered_export_test.h"
#include "core/case_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

namespace fs = std::filesystem;

/// What goes on from fc1 of the feed-forward part is wrong by `factor`.
Tampers scaled(double factor) {
  return [factor](const Call&) -> Tamper {
    return [factor](const std::string& stage, const at::Tensor& value) {
      return is_stage(stage, "fc1") ? value * factor : value;
    };
  };
}

/// A program's exit code, run in the root folder, and what it printed.
struct Ran {
  int exit_code;
  std::string printed;
};
Ran run_elsewhere(const std::string& arguments, const std::string& program = DEFORMDIFF_PROGRAM) {
  const fs::path printed = folder() / "saved.printed";
  const std::string command = fmt::format("cd / && {} {} > {} 2>&1", program, arguments, printed.string());
  const int status = std::system(command.c_str());
  std::stringstream text;
  text << std::ifstream(printed).rdbuf();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text.str()};
}

/// The one finding of a checked export, by its file.
std::string saved_finding(const Checked& checked) {
  EXPECT_EQ(checked.exit_code, 1) << checked.messages;
  EXPECT_EQ(checked.report.at("findings").size(), 1U);
  return checked.report.at("findings").at(0).at("case");
}

std::vector<NamedTensor> parameters_of(const Case& c) {
  std::vector<NamedTensor> parameters = c.inputs;
  std::erase_if(parameters, [](const NamedTensor& input) { return !is_parameter(input.name); });
  return parameters;
}

TEST(SavedFindings, AreReplayedExplainedAndShrunk) {
  const std::string saved = saved_finding(check("saved", exported("saved", "decoder_layer", scaled(1.01))));
  const SavedCase before = read_case(saved);
  EXPECT_EQ(before.signature->output, "activation_fn");

  const Ran replayed = run_elsewhere("replay " + saved);
  EXPECT_EQ(replayed.exit_code, 1) << replayed.printed;
  EXPECT_NE(replayed.printed.find("out_of_bound (reproduces)"), std::string::npos) << replayed.printed;
  const Ran executor =
      run_elsewhere(fmt::format("replay {} --subject '{}&mode=executor'", saved, before.subject));
  EXPECT_EQ(executor.exit_code, 1) << executor.printed;

  const Ran explained = run_elsewhere("explain " + saved);
  EXPECT_EQ(explained.exit_code, 1) << explained.printed;
  EXPECT_NE(explained.printed.find("First diverging stage: activation_fn\n"), std::string::npos)
      << explained.printed;
  EXPECT_NE(explained.printed.find("The bound is made of"), std::string::npos) << explained.printed;

  const std::string smaller = (folder() / "saved.smaller.json").string();
  const Ran shrunk = run_elsewhere(fmt::format("shrink {} -o {}", saved, smaller));
  EXPECT_EQ(shrunk.exit_code, 1) << shrunk.printed;
  EXPECT_NE(shrunk.printed.find("no single step is left"), std::string::npos) << shrunk.printed;
  const SavedCase after = read_case(smaller);
  EXPECT_LT(element_count(after.problem), element_count(before.problem));
  EXPECT_EQ(parameters_of(after.problem), parameters_of(before.problem));
  EXPECT_EQ(run_elsewhere("replay " + smaller).exit_code, 1);
}

TEST(SavedFindings, AreGoneOnceTheModelIsMended) {
  const std::string saved = saved_finding(check("mended", exported("mended", "decoder_layer", scaled(1.01))));
  exported("mended", "decoder_layer", scaled(1));
  const Ran mended = run_elsewhere("replay " + saved);
  EXPECT_EQ(mended.exit_code, 0) << mended.printed;
  EXPECT_NE(mended.printed.find("agree (gone)"), std::string::npos) << mended.printed;
  EXPECT_NE(mended.printed.find("(its SHA-256 differs)"), std::string::npos) << mended.printed;
  fs::remove(folder() / "mended.pt");
  const Ran missing = run_elsewhere("replay " + saved);
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.printed.find("there is no file"), std::string::npos) << missing.printed;
}

// In every way in which LibTorch runs a module, and as Python runs it.
TEST(SavedFindings, AreShownByAScript) {
  const Ran torch = run_elsewhere("-c 'import torch'", DEFORMDIFF_PYTHON);
  if (torch.exit_code != 0) GTEST_SKIP() << DEFORMDIFF_PYTHON << ": " << torch.printed;
  const std::string saved = saved_finding(check("shown", exported("shown", "decoder_layer", scaled(1.01))));
  const std::string script = (folder() / "shown.py").string();
  for (const char* mode : {"interpreter", "frozen"}) {
    const Ran emitted = run_elsewhere(fmt::format("emit {} --python -o {} --subject '{}&mode={}'", saved,
                                                  script, read_case(saved).subject, mode));
    EXPECT_EQ(emitted.exit_code, 0) << emitted.printed;
    const Ran shown = run_elsewhere(script, DEFORMDIFF_PYTHON);
    EXPECT_EQ(shown.exit_code, 1) << mode << shown.printed;
    EXPECT_NE(shown.printed.find("\nresults[0][0, "), std::string::npos) << shown.printed;
    exported("mended", "decoder_layer", scaled(1));
    const Ran mended = run_elsewhere(script + " " + (folder() / "mended.pt").string(), DEFORMDIFF_PYTHON);
    EXPECT_EQ(mended.exit_code, 0) << mode << mended.printed;
  }
}

// What is too small for the outputs' sets shows where it is.
TEST(SavedFindings, OfAStageAloneAreShownByItsNumbers) {
  const Ran numpy = run_elsewhere("-c 'import numpy'", DEFORMDIFF_PYTHON);
  if (numpy.exit_code != 0) GTEST_SKIP() << DEFORMDIFF_PYTHON << ": " << numpy.printed;
  const std::string saved =
      saved_finding(check("small", exported("small", "decoder_layer", scaled(1 + 3e-6))));
  const std::string script = (folder() / "small.py").string();
  const Ran emitted = run_elsewhere(fmt::format("emit {} --python -o {}", saved, script));
  EXPECT_EQ(emitted.exit_code, 0) << emitted.printed;
  const Ran shown = run_elsewhere(script, DEFORMDIFF_PYTHON);
  EXPECT_EQ(shown.exit_code, 1) << shown.printed;
  EXPECT_NE(shown.printed.find("activation_fn["), std::string::npos) << shown.printed;
  EXPECT_NE(shown.printed.find(", as expected"), std::string::npos) << shown.printed;
}

// A module answers with its own parameters, whatever the case holds.
TEST(SavedFindings, OfAnotherModelAreNotJudged) {
  const std::string saved = saved_finding(check("own", exported("own", "decoder_layer", scaled(1.01))));
  SavedCase other = read_case(saved);
  for (NamedTensor& input : other.problem.inputs) {
    if (input.name == "param.fc1.bias") {
      input.tensor =
          Tensor::of<float>(DType::kFloat32, input.tensor.shape(),
                            std::vector<float>(static_cast<std::size_t>(input.tensor.elements()), 1));
    }
  }
  const std::string path = (folder() / "own.other.json").string();
  write_case(path, other);
  const Ran replayed = run_elsewhere("replay " + path);
  EXPECT_EQ(replayed.exit_code, 4) << replayed.printed;
  EXPECT_NE(replayed.printed.find("another param.fc1.bias than the module's"), std::string::npos)
      << replayed.printed;
}

}  // namespace
}  // namespace deformdiff::worker
