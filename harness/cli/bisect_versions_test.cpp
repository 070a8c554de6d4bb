#include "cli/bisect_versions.h"

#include "core/error.h"

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

constexpr const char* kAddress = "torchop:/there/libmine.so#mine::ms_deform_attn?dtypes=float32,float64";

std::vector<std::string> addresses(const std::string& typed, const std::string& address = kAddress) {
  std::vector<std::string> parsed;
  for (const Version& version : parse_versions(typed, address)) parsed.push_back(version.address);
  return parsed;
}

TEST(Versions, CommasOfADeclarationAreNoEnd) {
  using List = std::vector<std::string>;
  EXPECT_EQ(addresses("cpu,fault/half_pixel"), (List{"cpu", "fault/half_pixel"}));
  EXPECT_EQ(addresses("torchop:a.so#m?dtypes=float32,float64,torchop:b.so#m"),
            (List{"torchop:a.so#m?dtypes=float32,float64", "torchop:b.so#m"}));
  EXPECT_EQ(addresses("torchop:a.so#m?supports=D%8==0,L<=4,fault/half_pixel"),
            (List{"torchop:a.so#m?supports=D%8==0,L<=4", "fault/half_pixel"}));
}

TEST(Versions, AFileStandsInTheAddressOfTheCase) {
  const std::vector<Version> versions = parse_versions("old/libmine.so,torchop:new.so#other", kAddress);
  EXPECT_EQ(versions[0].address, "torchop:old/libmine.so#mine::ms_deform_attn?dtypes=float32,float64");
  EXPECT_EQ(versions[0].file, "old/libmine.so");
  EXPECT_EQ(versions[1].file, "new.so");
  const std::vector<Version> python =
      parse_versions("python:old.py#f?dtypes=float32,python:pkg.ops#f", kAddress);
  EXPECT_EQ(python[0].file, "old.py");
  EXPECT_EQ(python[1].file, "");
  EXPECT_EQ(addresses("b.pt", "torchscript:a.pt?block=decoder_layer").front(),
            "torchscript:b.pt?block=decoder_layer");
}

TEST(Versions, WhatIsNoVersionIsRefused) {
  EXPECT_THROW(addresses("a.so,,b.so"), InputError);
  EXPECT_THROW(addresses("a.so", "cpu"), InputError);
  EXPECT_THROW(addresses("a#b.so"), InputError);
}

}  // namespace
}  // namespace deformdiff::cli
