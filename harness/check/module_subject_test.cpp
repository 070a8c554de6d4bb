// Addresses of exported modules.
#include "check/module_subject.h"

#include "core/test_folder.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Of a file of that name, which is there.
std::string error_of(const std::string& name, const std::string& mode) {
  const TestFolder folder;
  const auto file = folder / name;
  std::ofstream(file) << "anything";
  try {
    parse_module_address(std::string(kModuleScheme) + file.string() + "?block=attention_layer&mode=" + mode,
                         1);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(ModuleAddress, OnlyTorchScriptIsFrozen) {
  for (const char* mode : {"interpreter", "executor"}) {
    for (const char* name : {"a.pt", "a.pt2", "a.onnx"}) EXPECT_EQ(error_of(name, mode), "") << name;
  }
  for (const char* mode : {"frozen", "inference"}) {
    EXPECT_EQ(error_of("a.pt", mode), "");
    for (const char* name : {"a.pt2", "a.onnx"}) {
      const std::string error = error_of(name, mode);
      EXPECT_NE(error.find(std::string("mode=") + mode), std::string::npos) << error;
      EXPECT_NE(error.find("interpreter or executor wanted"), std::string::npos) << error;
    }
  }
  EXPECT_NE(error_of("a.pt", "nonsense").find("frozen or inference wanted"), std::string::npos);
}

}  // namespace
}  // namespace deformdiff
