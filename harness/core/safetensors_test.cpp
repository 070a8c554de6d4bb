#include "core/safetensors.h"

#include "core/arbitrary_case_test.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace deformdiff {
namespace {

std::string file_with(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + data;
}

SafetensorsFile parse(const std::string& bytes) {
  return parse_safetensors(std::as_bytes(std::span(bytes)), "f");
}

std::string refusal(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

/// With row-major strides for axes of one element, too.
Tensor plain_tensor() {
  const Tensor tensor = testing::arbitrary_tensor().contiguous();
  const auto bytes = tensor.storage();
  return Tensor(tensor.dtype(), tensor.shape(), Tensor::Bytes(bytes.begin(), bytes.end()));
}

RC_GTEST_PROP(Safetensors, RoundTrip, ()) {
  SafetensorsFile file;
  for (int i = *rc::gen::inRange(0, 3); i-- > 0;)
    file.metadata.emplace(testing::arbitrary_name(), testing::arbitrary_name());
  for (int i = *rc::gen::inRange(0, 4); i-- > 0;) {
    file.tensors.insert(file.tensors.begin(), {std::to_string(i), plain_tensor()});
  }
  const SafetensorsFile again = parse(safetensors_bytes(file));
  RC_ASSERT(again.metadata == file.metadata);
  RC_ASSERT(again.tensors == file.tensors);
}

TEST(Safetensors, ReadsAFileWrittenByHand) {
  const SafetensorsFile file = parse(file_with(
      R"({"b":{"dtype":"BOOL","shape":[2],"data_offsets":[2,4]},"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]},"__metadata__":{"k":"v"}})",
      std::string("\x00\x3c\x01\x00", 4)));
  ASSERT_EQ(file.tensors.size(), 2U);
  EXPECT_EQ(file.tensors[0].name, "a");
  EXPECT_EQ(file.find("a")->element(0), 1.0);
  EXPECT_EQ(file.find("b")->element(0), 1.0);
  EXPECT_EQ(file.find("c"), nullptr);
  EXPECT_EQ(file.metadata.at("k"), "v");
}

TEST(Safetensors, DtypesWeDoNotKnowAreLeftOutByName) {
  const SafetensorsFile file =
      parse(file_with(R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", "1234"));
  EXPECT_TRUE(file.tensors.empty());
  EXPECT_EQ(file.unreadable.at("a"), "F8_E4M3");
}

TEST(Safetensors, NarrowIntegersAreKeptAsInt64) {
  const std::string bytes("\xfe\xff\xff\xff", 4);
  const auto numbers = [&](const std::string& dtype, const std::string& shape) {
    const SafetensorsFile file = parse(file_with(
        R"({"a":{"dtype":")" + dtype + R"(","shape":[)" + shape + R"(],"data_offsets":[0,4]}})", bytes));
    EXPECT_EQ(file.narrow.at("a"), dtype);
    const auto values = file.tensors.at(0).tensor.values<std::int64_t>();
    return std::vector<std::int64_t>(values.begin(), values.end());
  };
  EXPECT_EQ(numbers("I32", "1"), (std::vector<std::int64_t>{-2}));
  EXPECT_EQ(numbers("U32", "1"), (std::vector<std::int64_t>{4294967294}));
  EXPECT_EQ(numbers("I16", "2"), (std::vector<std::int64_t>{-2, -1}));
  EXPECT_EQ(numbers("U16", "2"), (std::vector<std::int64_t>{65534, 65535}));
  EXPECT_EQ(numbers("I8", "4"), (std::vector<std::int64_t>{-2, -1, -1, -1}));
  EXPECT_NE(refusal(file_with(R"({"a":{"dtype":"I32","shape":[2],"data_offsets":[0,4]}})", bytes))
                .find("what I32 of shape"),
            std::string::npos);
}

TEST(Safetensors, RefusalsNameTheTensorAndTheFault) {
  EXPECT_NE(refusal("1234").find("fewer than 8 bytes"), std::string::npos);
  EXPECT_NE(refusal(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}")).find("header length"),
            std::string::npos);
  EXPECT_NE(refusal(file_with("{", "")).find("f: header: a JSON object wanted"), std::string::npos);
  const auto one = [](const std::string& entry) {
    return refusal(file_with(R"({"a":)" + entry + "}", "1234"));
  };
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})"), "accepted");
  EXPECT_NE(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})").find("4 bytes found"),
            std::string::npos);
  EXPECT_NE(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,5]})").find("inside the 4 bytes"),
            std::string::npos);
  EXPECT_NE(one(R"({"dtype":"U8","shape":[3],"data_offsets":[0,3]})").find("1 bytes behind"),
            std::string::npos);
  EXPECT_NE(one(R"({"dtype":"U8","shape":[3],"data_offsets":[1,4]})").find("hole"), std::string::npos);
  EXPECT_NE(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})").find("shape: "), std::string::npos);
  EXPECT_NE(one(R"({"dtype":"F32","data_offsets":[0,4]})").find("exactly dtype, shape"), std::string::npos);
  EXPECT_NE(one(R"({"dtype":"F32","shape":[0,4611686018427387904,4611686018427387904],"data_offsets":[0,0]})")
                .find("too large"),
            std::string::npos);
}

}  // namespace
}  // namespace deformdiff
