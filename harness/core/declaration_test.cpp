#include "core/declaration.h"

#include "core/error.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(Declaration, SetsWhatIsWrittenAndNothingElse) {
  SubjectInfo info;
  info.contract.im2col_step = Im2colStep::kDivides;
  apply(parse_declaration("dtypes=float32,float64&supports=D%8==0,L<=4&coordinates=fused&deterministic=1&"
                          "nonfinite_location=zero&device=cuda&flush_to_zero=1"),
        info);
  EXPECT_EQ(info.dtypes, (std::set<DType>{DType::kFloat32, DType::kFloat64}));
  EXPECT_EQ(info.supports, "D%8==0,L<=4");
  EXPECT_EQ(info.precision.coordinates, Coordinates::kFused);
  EXPECT_TRUE(info.precision.flush_to_zero);
  EXPECT_EQ(info.contract.deterministic, Deterministic::kYes);
  EXPECT_EQ(info.contract.nonfinite_location, NonfiniteLocation::kZero);
  EXPECT_EQ(info.device, "cuda");
  EXPECT_EQ(info.contract.im2col_step, Im2colStep::kDivides);
  EXPECT_EQ(info.contract.edge_gradient, EdgeGradient::kAny);
}

TEST(Declaration, TheFirstValueOfEachKeyIsTheDefault) {
  for (const DeclarationKey& key : declaration_keys()) {
    const std::string first = key.values.substr(0, key.values.find('|'));
    SubjectInfo info;
    info.device = "cpu";
    const SubjectInfo before = info;
    apply(parse_declaration(key.key == "supports" ? "supports=" : key.key + "=" + first), info);
    EXPECT_EQ(info.precision, before.precision) << key.key;
    EXPECT_EQ(info.contract, before.contract) << key.key;
    EXPECT_EQ(info.dtypes, before.dtypes) << key.key;
    EXPECT_EQ(info.device, before.device) << key.key;
  }
}

TEST(Declaration, RefusalsListWhatIsAllowed) {
  const auto message = [](const char* text) {
    try {
      parse_declaration(text);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(message("colour=red").find("im2col_step"), std::string::npos);
  EXPECT_NE(message("coordinates=polar").find("any|fused|grid_sample"), std::string::npos);
  EXPECT_NE(message("dtypes=float32,int64").find("bfloat16"), std::string::npos);
  EXPECT_NE(message("supports=D%8").find("D%8"), std::string::npos);
  EXPECT_NE(message("deterministic").find("key=value"), std::string::npos);
  EXPECT_NE(message("deterministic=1&deterministic=0").find("twice"), std::string::npos);
}

}  // namespace
}  // namespace deformdiff
