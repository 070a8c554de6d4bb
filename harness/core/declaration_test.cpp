#include "core/declaration.h"

#include "core/error.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

TEST(Declaration, SetsWhatIsWrittenAndNothingElse) {
  SubjectInfo info;
  info.contract.im2col_step = Im2colStep::kDivides;
  apply(
      parse_declaration(
          "dtypes=float32,float64&supports=D%8==0,L<=4&coordinates=fused&deterministic=1&"
          "nonfinite_location=zero&device=cuda&flush_to_zero=1&variance=centred&products=tf32&exp_ulps=1.5"),
      info);
  EXPECT_EQ(info.dtypes, (std::set<DType>{DType::kFloat32, DType::kFloat64}));
  EXPECT_TRUE(info.mixed_dtypes.empty());
  EXPECT_EQ(info.supports, "D%8==0,L<=4");
  EXPECT_EQ(info.precision.coordinates, Coordinates::kFused);
  EXPECT_TRUE(info.precision.flush_to_zero);
  EXPECT_EQ(info.contract.deterministic, Deterministic::kYes);
  EXPECT_EQ(info.contract.nonfinite_location, NonfiniteLocation::kZero);
  EXPECT_EQ(info.device, "cuda");
  EXPECT_EQ(info.contract.im2col_step, Im2colStep::kDivides);
  EXPECT_EQ(info.precision.variance, Variance::kCentred);
  EXPECT_EQ(info.precision.products, Products::kTf32);
  EXPECT_EQ(info.precision.ulps.exp, 1.5);
  EXPECT_EQ(info.precision.ulps.pow, 4);
  EXPECT_EQ(info.contract.edge_gradient, EdgeGradient::kAny);
}

TEST(Declaration, ComesBackFromItsText) {
  const std::string text =
      "device=cuda&dtypes=float64,mixed_float16&supports=D%8==0&bound=none&calls=one_at_a_time&arithmetic="
      "storage&unseen=rounded&coordinates=fused&"
      "flush_to_zero=1&variance=centred&products=bf16x3&product_sums=float16&convolutions=winograd4&autocast="
      "bfloat16&exp_ulps=1.5&"
      "tanh_ulps=0&sin_"
      "cos_ulps=3.5&"
      "pow_ulps=1000&erf_ulps=2&deterministic=1,value:0&im2col_step=divides&nonfinite_location=nan&"
      "nonfinite_weight_outside=ignored&nonfinite_value_at_zero_weight=propagates&"
      "level_start_index=ignored&edge_gradient=one_sided";
  SubjectInfo info;
  apply(parse_declaration(text), info);
  EXPECT_EQ(declaration_of(info), text);
  EXPECT_EQ(static_cast<std::ptrdiff_t>(declaration_keys().size()), std::ranges::count(text, '&') + 1);
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
    EXPECT_EQ(info.bound, before.bound) << key.key;
    EXPECT_EQ(info.calls, before.calls) << key.key;
    EXPECT_EQ(info.dtypes, before.dtypes) << key.key;
    EXPECT_EQ(info.mixed_dtypes, before.mixed_dtypes) << key.key;
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
  for (const char* wrong : {"dtypes=mixed_float32", "dtypes=mixed_", "dtypes=float32,"})
    EXPECT_NE(message(wrong).find("mixed_bfloat16"), std::string::npos) << wrong;
  EXPECT_NE(message("supports=D%8").find("D%8"), std::string::npos);
  EXPECT_NE(message("deterministic").find("key=value"), std::string::npos);
  for (const char* value : {"", "-1", "nan", "inf", "2x", "1e9"}) {
    EXPECT_NE(message((std::string("exp_ulps=") + value).c_str()).find("numbers from 0"), std::string::npos)
        << value;
  }
  EXPECT_NE(message("deterministic=1&deterministic=0").find("twice"), std::string::npos);
  for (const char* value : {"", ":1", "1,0", "value:0,value:1"}) {
    EXPECT_NE(message((std::string("deterministic=") + value).c_str()).find("each once"), std::string::npos)
        << value;
  }
}

}  // namespace
}  // namespace deformdiff
