// 100,000 random mutations each of a valid case file and a valid safetensors file: a value or an InputError.
#include "core/case_file.h"
#include "core/random.h"
#include "core/safetensors.h"

#include <string>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

constexpr std::uint64_t kMutations = 100000;

/// One to four changes: a byte set, a bit flipped, a piece cut, repeated or moved, the end cut off.
std::string mutated(std::string text, std::uint64_t index) {
  const CounterRandom random = CounterRandom(20261122).stream(index);
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(random.below(draw++, std::max<std::size_t>(n, 1)));
  };
  static constexpr std::string_view kLikely = "{}[]\",:-+.eE0123456789\\u\xff ";
  for (std::size_t changes = 1 + below(4); changes > 0 && !text.empty(); --changes) {
    const std::size_t at = below(text.size());
    const std::size_t length = below(std::min<std::size_t>(text.size() - at, 20)) + 1;
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text[at] = kLikely[below(kLikely.size())];
        break;
      case 2:
        text[at] = static_cast<char>(text[at] ^ 1 << below(8));
        break;
      case 3:
        text.erase(at, length);
        break;
      case 4:
        text.insert(below(text.size()), text.substr(at, length));
        break;
      default:
        text.resize(at);
        break;
    }
  }
  return text;
}

/// Returns how many were read. Anything but an InputError fails the test, as does a crash.
template <typename Read>
std::uint64_t survivors(const std::string& valid, Read read) {
  std::uint64_t accepted = 0;
  for (std::uint64_t i = 0; i < kMutations; ++i) {
    try {
      read(mutated(valid, i));
      ++accepted;
    } catch (const InputError&) {
    }
  }
  return accepted;
}

TEST(Mutations, CaseFile) {
  const std::string valid = R"({"deformdiff_case": 1, "note": "n\u00e9", "block": "b", "expect": "agree",
 "signature": {"block": "b", "subject": "s", "rule": "threw", "output": "", "class": "structure"},
 "reproduction": {"seen": 3, "runs": 10}, "provenance": {"generator": "g", "tier": "t", "seed": 1, "index": 18446744073709551615},
 "attributes": {"im2col_step": 64}, "inputs": {
  "value": {"dtype": "float32", "shape": [2, 2], "strides": [1, 2], "offset": 1, "data": [0, 1.5, -0.0, "nan", "0x7fc00001", "inf"]},
  "sides": {"dtype": "int64", "shape": [1], "data": [-9]}},
 "earlier_calls": [{"block": "b", "attributes": {}, "inputs": {"w": {"dtype": "float16", "shape": [], "data": [1]}}}]})";
  ASSERT_NO_THROW(parse_case(valid, "f", "."));
  const std::uint64_t accepted =
      survivors(valid, [](const std::string& text) { parse_case(text, "f", "."); });
  EXPECT_GT(accepted, 0U);
  EXPECT_LT(accepted, kMutations);
}

TEST(Mutations, SafetensorsFile) {
  SafetensorsFile file;
  file.metadata = {{"block", "b"}};
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  file.tensors = {{"in.value", Tensor::of<float>(DType::kFloat32, {2, 3}, values)},
                  {"out.output", Tensor::of<float>(DType::kFloat32, {6}, values)}};
  const std::string valid = safetensors_bytes(file);
  const std::uint64_t accepted = survivors(
      valid, [](const std::string& text) { parse_safetensors(std::as_bytes(std::span(text)), "f"); });
  EXPECT_GT(accepted, 0U);
  EXPECT_LT(accepted, kMutations);
}

}  // namespace
}  // namespace deformdiff
