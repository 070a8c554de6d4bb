#include "cli/measurements.h"

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

Measurements sample() {
  Measurements measurements;
  for (const double ms : {30.0, 10.0, 20.0}) {
    measurements.add("op/small256/near/fwd/composite/t1", "ms", ms);
    measurements.add("op/small256/near/fwd/cpu/t1", "ms", ms / 10);
    measurements.add("op/small256/near/bwd/composite/t1/float16", "ms", 4 * ms);
    measurements.add("op/small256/near/bwd/a/library.so/t1/float16", "ms", ms);
  }
  measurements.add("isolation/batched", "us", 3);
  return measurements;
}

TEST(Measurements, TableShowsMinimumMedianSpreadAndRatio) {
  EXPECT_EQ(
      measurements_table(sample()),
      "id                                                  min     median  spread  unit     of composite\n"
      "op/small256/near/fwd/composite/t1                    10         20    100%  ms       1.000\n"
      "op/small256/near/fwd/cpu/t1                           1          2    100%  ms       0.100\n"
      "op/small256/near/bwd/composite/t1/float16            40         80    100%  ms       1.000\n"
      "op/small256/near/bwd/a/library.so/t1/float16         10         20    100%  ms       0.250\n"
      "isolation/batched                                     3          3      0%  us       \n");
}

TEST(Measurements, JsonKeepsEverySample) {
  const std::string json = measurements_json(sample(), {{"machine", "test"}});
  EXPECT_NE(json.find(R"("id": "op/small256/near/fwd/cpu/t1")"), std::string::npos);
  EXPECT_NE(json.find("3.0"), std::string::npos);
  EXPECT_NE(json.find(R"("machine": "test")"), std::string::npos);
}

}  // namespace
}  // namespace deformdiff::cli
