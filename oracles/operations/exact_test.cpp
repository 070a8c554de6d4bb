// Operations that never round, and the list of all operations.
#include "oracles/operations/cases_test.h"

#include <algorithm>

namespace deformdiff::operation {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(ExactOperations, ReluClearsNegativesAndKeepsNan) {
  const OutputReference r = refer("relu", {}, {named<float>("x", {5}, {-1, 2, kNan, kInf, -kInf})});
  EXPECT_EQ(r.value[0], 0);
  EXPECT_EQ(r.value[1], 2);
  EXPECT_EQ(r.bound, (std::vector<double>{0, 0, 0, 0, 0}));
  EXPECT_EQ(r.admits, (std::vector<std::uint8_t>{kAdmitsFinite, kAdmitsFinite, kAdmitsNan, kAdmitsPlusInf,
                                                 kAdmitsFinite}));
}

TEST(ExactOperations, CopyKeepsTheDtype) {
  const OutputReference integers = refer("copy", {}, {named("x", {2}, std::vector<std::int64_t>{3, -4})});
  EXPECT_EQ(integers.dtype, DType::kInt64);
  EXPECT_EQ(integers.value, (std::vector<double>{3, -4}));
  const OutputReference bits = refer("copy", {}, {named_mask("x", {2}, {1, 0})});
  EXPECT_EQ(bits.dtype, DType::kBool);
  EXPECT_EQ(bits.value, (std::vector<double>{1, 0}));
}

TEST(ExactOperations, ConcatAlongEachAxis) {
  const auto a = named<double>("x0", {2, 1}, {1, 2}), b = named<double>("x1", {2, 2}, {3, 4, 5, 6});
  const OutputReference columns = refer("concat", {{"axis", 1}}, {a, b});
  EXPECT_EQ(columns.shape, (Shape{2, 3}));
  EXPECT_EQ(columns.value, (std::vector<double>{1, 3, 4, 2, 5, 6}));
  const OutputReference rows = refer("concat", {{"axis", 0}},
                                     {named<double>("x0", {1, 2}, {1, 2}), named<double>("x1", {0, 2}, {}),
                                      named<double>("x2", {2, 2}, {3, 4, 5, 6})});
  EXPECT_EQ(rows.value, (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_THROW(refer("concat", {{"axis", 0}}, {a, b}), InputError);
}

TEST(ExactOperations, MaskedRowsAreZero) {
  const auto x = named<float>("x", {1, 3, 2}, {1, 2, 3, kNan, 5, 6});
  const OutputReference r = refer("mask_rows", {}, {x, named_mask("mask", {1, 3}, {0, 1, 0})});
  EXPECT_EQ(r.value, (std::vector<double>{1, 2, 0, 0, 5, 6}));
  EXPECT_EQ(r.admits[2], kAdmitsFinite);
  EXPECT_EQ(r.admits[3], kAdmitsFinite | kAdmitsNan);
  EXPECT_EQ(refer("mask_rows", {}, {x}).admits[3], kAdmitsNan);
}

TEST(ExactOperations, FullyBlockedRowsAreUnblocked) {
  const OutputReference r = refer("unblock_rows", {}, {named_mask("mask", {1, 3, 2}, {1, 1, 0, 1, 0, 0})});
  EXPECT_EQ(r.dtype, DType::kBool);
  EXPECT_EQ(r.value, (std::vector<double>{0, 0, 0, 1, 0, 0}));
}

TEST(ExactOperations, WhatProvesNothingSaysSo) {
  const auto vacuous = [](const std::string& operation, std::vector<NamedTensor> inputs) {
    return operation_oracle(operation, DType::kFloat32)
        .evaluate({operation, {}, std::move(inputs), {}}, {}, {}, 1)
        .vacuous;
  };
  EXPECT_EQ(vacuous("relu", {named<float>("x", {2}, {-1, -2})}), "every expected output is zero");
  EXPECT_EQ(vacuous("relu", {named<float>("x", {0}, {})}), "the output is empty");
  EXPECT_EQ(vacuous("relu", {named<float>("x", {1}, {1})}), "");
  EXPECT_EQ(vacuous("unblock_rows", {named_mask("mask", {1, 1, 2}, {0, 0})}), "");
}

TEST(Constant, IsItsNumbers) {
  const auto values = [](DType dtype) {
    return refer_in(dtype, "constant", {{"count", 2}, {"v0", 3}, {"v1", 5}}, {});
  };
  EXPECT_EQ(values(DType::kInt64).dtype, DType::kInt64);
  EXPECT_EQ(values(DType::kFloat32).dtype, DType::kFloat32);
  EXPECT_EQ(values(DType::kFloat64).value, (std::vector<double>{3, 5}));
  EXPECT_EQ(values(DType::kFloat64).bound, (std::vector<double>{0, 0}));
}

TEST(Operations, AreFoundByName) {
  const std::vector<std::string> names = operations();
  EXPECT_EQ(names.size(), 31U);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const std::string& name : names) EXPECT_NO_THROW(operation_oracle(name, DType::kFloat64));
  EXPECT_THROW(operation_oracle("nothing", DType::kFloat32), InternalError);
}

TEST(Operations, ElementsHaveAClass) {
  const Case c{"relu", {}, {named<float>("x", {2}, {1, kNan})}, {}};
  const std::vector<std::int64_t> both{0, 1};
  EXPECT_EQ(operation_oracle("relu", DType::kFloat32).element_classes(c, both),
            (std::vector<std::string>{"interior", "nonfinite"}));
}

TEST(Operations, OtherDtypesAreRefused) {
  const Case c{"sigmoid", {}, {named("x", {1}, std::vector<std::int64_t>{1})}, {}};
  EXPECT_THROW(operation_oracle("sigmoid", DType::kFloat32).evaluate(c, {}, {}, 1), InputError);
  for (const std::string& name : operations()) {
    EXPECT_THROW(operation_oracle(name, DType::kUInt8), InternalError) << name;
  }
}

}  // namespace
}  // namespace deformdiff::operation
