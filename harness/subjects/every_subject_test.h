// Help for tests of every built-in implementation, in float32 and float64.
#pragma once

#include "subjects/subjects.h"

#include <string>
#include <tuple>
#include <vector>

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {

inline std::vector<std::string> builtin_names() {
  std::vector<std::string> names;
  for (const auto& subject : builtin_subjects()) names.push_back(subject->info().name);
  return names;
}

/// Parameters of a test: an implementation's name and a dtype.
inline auto every_subject() {
  return testing::Combine(testing::ValuesIn(builtin_names()), testing::Values(at::kFloat, at::kDouble));
}

inline std::string name_of_subject(
    const testing::TestParamInfo<std::tuple<std::string, at::ScalarType>>& info) {
  std::string name = std::get<0>(info.param);
  for (char& letter : name) letter = letter == '/' ? '_' : letter;
  return name + (std::get<1>(info.param) == at::kFloat ? "_float32" : "_float64");
}

}  // namespace deformdiff::worker
