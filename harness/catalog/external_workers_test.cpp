#include "catalog/external_workers.h"

#include "core/error.h"
#include "core/files.h"
#include "core/test_folder.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;
using List = std::vector<std::string>;

class ExternalWorkers : public testing::Test {
 protected:
  ExternalWorkers() { write_file(file, "def ms_deform_attn(): pass\n"); }

  static std::string why_refused(const std::string& typed) {
    try {
      typed.starts_with(kPythonScheme) ? python_spec(typed) : worker_spec(typed);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }

  const TestFolder folder;
  const std::string file = (folder.path() / "kernel.py").string();
};

TEST_F(ExternalWorkers, APythonFileIsRunByTheInterpreterThatIsNamed) {
  const std::string typed = "python:" + file + "#mine?python=/bin/sh&dtypes=float32&device=cuda";
  const SubjectSpec spec = python_spec(typed);
  EXPECT_EQ(spec.name, typed);
  EXPECT_EQ(spec.library, file);
  EXPECT_EQ(spec.command.subject, file + "#mine");
  const List& argv = spec.command.argv;
  EXPECT_EQ(argv.front(), "/bin/sh");
  EXPECT_TRUE(fs::exists(argv.at(1))) << argv.at(1);
  EXPECT_EQ(List(argv.begin() + 2, argv.end()),
            (List{"--file", file, "--name", "mine", "--subject", file + "#mine", "--device", "cuda"}));
  SubjectInfo info;
  spec.declare(info);
  EXPECT_EQ(info.dtypes, std::set<DType>{DType::kFloat32});
}

TEST_F(ExternalWorkers, TheInterpreterIsTheInstalledOnesOrThatOnThePath) {
  ::unsetenv("DEFORMDIFF_PYTHON");
  EXPECT_EQ(python_spec("python:" + file).command.argv.front(), "python3");
  ::setenv("DEFORMDIFF_PYTHON", "/venv/bin/python", 1);
  EXPECT_EQ(python_spec("python:" + file).command.argv.front(), "/venv/bin/python");
  ::unsetenv("DEFORMDIFF_PYTHON");
}

TEST_F(ExternalWorkers, AModuleIsNoFile) {
  const SubjectSpec spec = python_spec("python:package.ops");
  EXPECT_EQ(spec.command.subject, "package.ops");
  EXPECT_EQ(spec.command.argv.at(2), "--module");
  EXPECT_TRUE(spec.library.empty());
}

TEST_F(ExternalWorkers, AWorkerIsStartedWithItsWords) {
  const SubjectSpec spec = worker_spec("worker:" + file + " '--a b' 10%23#mine?deterministic=1");
  EXPECT_EQ(spec.command.argv, (List{file, "--a b", "10#"}));
  EXPECT_EQ(spec.command.subject, "mine");
  EXPECT_EQ(spec.library, file);
  EXPECT_TRUE(worker_spec("worker:no_such_program#mine").library.empty());
}

TEST_F(ExternalWorkers, Words) {
  EXPECT_EQ(command_words("  a 'b c'd \"\" \"'\" "), (List{"a", "b cd", "", "'"}));
  EXPECT_TRUE(command_words(" ").empty());
  EXPECT_THROW(command_words("a 'b"), InputError);
}

TEST_F(ExternalWorkers, RefusalsNameTheAddressAndTheReason) {
  EXPECT_EQ(why_refused("python:gone.py"),
            "subject 'python:gone.py': there is no file gone.py in this folder");
  EXPECT_EQ(why_refused("python:/gone/kernel"),
            "subject 'python:/gone/kernel': there is no file /gone/kernel");
  EXPECT_NE(why_refused("python:#f").find("wanted is python:FILE.py#NAME"), std::string::npos);
  EXPECT_NE(why_refused("python:" + file + "?python=/gone/python").find("there is no such program"),
            std::string::npos);
  EXPECT_NE(why_refused("python:" + file + "?python=").find("python= is empty"), std::string::npos);
  EXPECT_NE(why_refused("python:" + file + "?colour=red").find("beside those it takes python"),
            std::string::npos);
  for (const char* bad : {"worker:", "worker:#a", "worker:cmd", "worker:'cmd#a", "worker:cmd#a?colour=red"}) {
    EXPECT_NE(why_refused(bad).find(std::string("subject '") + bad + "': "), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace deformdiff
