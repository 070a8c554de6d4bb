#include "core/files.h"

#include "core/case_file.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "core/test_folder.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  /// Why the work was refused.
  template <typename Work>
  static std::string refusal(Work work) {
    try {
      work();
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  }

  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  const TestFolder folder_;
};

TEST_F(FilesTest, ALinkIsWrittenThrough) {
  write_file(folder_ / "target", "old and longer");
  fs::create_symlink("target", folder_ / "link");
  write_file(folder_ / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(read_file(folder_ / "target"), "new");
  fs::create_symlink("absent", folder_ / "dangling");
  write_file(folder_ / "dangling", "made");
  EXPECT_TRUE(fs::is_symlink(folder_ / "dangling"));
  EXPECT_EQ(read_file(folder_ / "absent"), "made");
}

TEST_F(FilesTest, APipeIsWrittenThrough) {
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string heard;
  std::thread reader([&] {
    std::ifstream in(pipe);
    std::getline(in, heard, '\0');
  });
  write_file(pipe, "through");
  reader.join();
  EXPECT_EQ(heard, "through");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST_F(FilesTest, ADeviceStaysADevice) {
  const fs::path full = "/dev/full";
  if (!fs::is_character_file(full)) GTEST_SKIP() << "no /dev/full";
  EXPECT_NE(refusal([&] { write_file(full, "x"); }).find("/dev/full: cannot be written: No space"),
            std::string::npos);
  EXPECT_TRUE(fs::is_character_file(full));
  SavedCase large;
  large.problem.block = "b";
  large.expectation = "agree";
  large.problem.inputs.push_back(
      {"x", Tensor(DType::kFloat32, {kInlineElements + 1},
                   Tensor::Bytes(static_cast<std::size_t>(kInlineElements + 1) * 4))});
  EXPECT_NE(refusal([&] { write_case("/dev/null", large); }).find("a regular file is wanted"),
            std::string::npos);
}

/// A limit on the size of files stands for the full disk.
TEST_F(FilesTest, WhereTheDiskIsFullNothingStaysBehind) {
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit small = old_limit;
  small.rlim_cur = 100;
  write_file(folder_ / "file", "as it was");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string why = refusal([&] { write_file(folder_ / "file", std::string(1000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, previous);
  EXPECT_NE(why.find("cannot be written"), std::string::npos) << why;
  EXPECT_EQ(read_file(folder_ / "file"), "as it was");
  EXPECT_EQ(files(), 1U);
}

TEST_F(FilesTest, AnEndlessFileIsRefused) {
  EXPECT_NE(
      refusal([] { read_file("/dev/zero", 1000); }).find("/dev/zero: cannot be read: it has more than 1000"),
      std::string::npos);
  write_file(folder_ / "exact", std::string(1000, 'x'));
  EXPECT_EQ(read_file(folder_ / "exact", 1000).size(), 1000U);
}

TEST_F(FilesTest, AHugeFileIsRefusedBeforeMemoryIsTaken) {
  const fs::path huge = folder_ / "huge.safetensors";
  write_file(huge, std::string("\x02\0\0\0\0\0\0\0{}", 10));
  fs::resize_file(huge, std::uintmax_t{1} << 40);
  EXPECT_NE(refusal([&] { read_safetensors(huge); }).find("bytes behind the last tensor"), std::string::npos);
  EXPECT_NE(refusal([&] { read_file(huge); }).find("the most that is read"), std::string::npos);
  EXPECT_NE(refusal([&] { read_case(fs::path(huge).replace_extension(".json")); }).find("No such file"),
            std::string::npos);
  const fs::path text = folder_ / "huge.json";
  fs::rename(huge, text);
  EXPECT_NE(refusal([&] { read_case(text); }).find("the most that is read"), std::string::npos);
}

}  // namespace
}  // namespace deformdiff
