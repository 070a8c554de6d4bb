#include "cli/emit/python_text.h"

#include "cli/emit/python_formulas.h"
#include "oracles/operations/operations.h"

#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

Tensor floats(Shape shape, const std::vector<float>& values) {
  return Tensor::of<float>(DType::kFloat32, std::move(shape), values);
}

TEST(PythonText, NumbersReadBackToTheSameBits) {
  EXPECT_EQ(python_number(1), "1.0");
  EXPECT_EQ(python_number(-0.0), "-0.0") << "the integer -0 of Python is 0";
  EXPECT_EQ(python_number(1e300), "1e+300");
  EXPECT_EQ(python_number(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(python_number(-std::numeric_limits<double>::quiet_NaN()), "nan");
}

TEST(PythonText, StringsHoldWhateverAPathHolds) {
  EXPECT_EQ(python_string("a'b\\c\nd"), R"('a\'b\\c\x0ad')");
}

TEST(PythonText, TensorsAreListedInTheirStorage) {
  EXPECT_EQ(python_tensor(floats({2}, {0.1F, 3})), "tensor('float32', (2,), [0.1, 3.0])");
  const auto storage = floats({4}, {1, 2, 3, 4}).shared_storage();
  EXPECT_EQ(python_tensor(Tensor(DType::kFloat32, {2}, {2}, 1, storage)),
            "tensor('float32', (2,), [1.0, 2.0, 3.0, 4.0], (2,), 1)");
  EXPECT_EQ(python_tensor(int64_tensor({}, {std::numeric_limits<std::int64_t>::max()})),
            "tensor('int64', (), [9223372036854775807])");
}

// A list would lose the bits of a NaN, and be long.
TEST(PythonText, OthersAreBase64) {
  float strange = 0;
  const std::uint32_t bits = 0x7fc00001;
  std::memcpy(&strange, &bits, sizeof(strange));
  EXPECT_EQ(python_tensor(floats({1}, {strange})), "tensor('float32', (1,), \"AQDAfw==\")");
  const std::string large = python_tensor(floats({300}, std::vector<float>(300, 1)));
  EXPECT_NE(large.find("\"AACAPwAAgD8"), std::string::npos) << large;
  EXPECT_EQ(python_numbers({1, 2}), "[1.0, 2.0]");
  EXPECT_EQ(python_numbers(std::vector<double>(300, 0)).substr(0, 5), "\"AAAA");
}

TEST(PythonText, WideTensorsAreContiguousFloat64) {
  const auto storage = floats({4}, {1, 2, 3, 4}).shared_storage();
  EXPECT_EQ(python_wide_tensor(Tensor(DType::kFloat32, {2}, {2}, 1, storage)),
            "tensor('float64', (2,), [2.0, 4.0])");
  EXPECT_EQ(python_wide_tensor(int64_tensor({1}, {5})), "tensor('int64', (1,), [5])");
}

TEST(PythonText, ViewsAreStepsOfNumpy) {
  EXPECT_EQ(python_view({reshape({2, 3}), permute({1, 0}), narrow(1, 0, 1), expand({3, 4})}),
            "np.broadcast_to(value.reshape((2, 3)).transpose((1, 0))[:, 0:1], (3, 4))");
}

TEST(PythonFormulas, ThereIsOneOfEveryOperation) {
  for (const std::string& operation : operations()) {
    Stage stage;
    stage.operation = operation;
    EXPECT_NE(numpy_formula(stage).find("value = "), std::string::npos) << operation;
  }
}

}  // namespace
}  // namespace deformdiff::cli
