// What the tests of a session's parts share: options with a folder of their own, and a listener that
// remembers.
#pragma once

#include "core/test_folder.h"
#include "engine/investigate.h"
#include "engine/scripted_runner_test.h"
#include "engine/third_block_test.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff {

class ScriptedSessionTest : public testing::Test {
 protected:
  ScriptedSessionTest() {
    options_.out = folder_.path();
    options_.seed = 3;
  }

  SubjectState state_of(ScriptedSubject& subject) { return {subject.open(options_.limits), "third"}; }

  /// What the run meets where the subject fails on the case.
  static Failure met(SubjectState& state, const BlockEntry& entry, Case problem) {
    Failure failure;
    failure.problem = std::move(problem);
    failure.judgement = judge_case(state.subject, entry, failure.problem, {}, {});
    return failure;
  }

  /// Names of the files of findings.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(options_.out / "findings")) {
      names.push_back(file.path().filename().string());
    }
    return names;
  }

  class Remembering : public Listener {
   public:
    void on_finding(const Finding& finding) override { heard.push_back(finding); }
    std::vector<Finding> heard;
  };

  const TestFolder folder_;
  SessionOptions options_;
  Remembering listener_;
};

}  // namespace deformdiff
