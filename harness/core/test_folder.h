// A folder for a test's files.
#pragma once

#include <filesystem>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

namespace deformdiff {

/// A new folder of the running test's own, as tests run side by side. It goes with this object.
class TestFolder {
 public:
  TestFolder() {
    const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
    std::string name =
        std::string(test.test_suite_name()) + "." + test.name() + "." + std::to_string(getpid());
    for (char& c : name) {
      if (c == '/') c = '_';  // of parametrised tests
    }
    path_ = std::filesystem::path(::testing::TempDir()) / name;
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace deformdiff
