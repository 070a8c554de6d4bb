// The host kernels of every instruction set that this processor has, in every type, against the mathematics
// in double.
#include "core/random.h"
#include "core/sixteen_bits.h"
#include "subjects/ms_deform_attn/cpu/instruction_set.h"
#include "subjects/ms_deform_attn/cpu/operator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr const char* kVariable = "DEFORMDIFF_CPU_ISA";

/// Numbers in the memory of one element type.
class Array {
 public:
  Array(ElementType type, const std::vector<double>& numbers)
      : type_(type), bytes_(numbers.size() * static_cast<std::size_t>(bytes_of(type))) {
    for (std::size_t i = 0; i < numbers.size(); ++i) put(i, numbers[i]);
  }

  void* data() { return bytes_.data(); }
  const std::vector<std::byte>& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size() / static_cast<std::size_t>(bytes_of(type_)); }

  double operator[](std::size_t i) const {
    if (type_ == ElementType::kFloat64) return at<double>(i);
    if (type_ == ElementType::kFloat32) return at<float>(i);
    return sixteen_bits_to_float(sixteen(), at<std::uint16_t>(i));
  }

  void put(std::size_t i, double number) {
    if (type_ == ElementType::kFloat64) {
      write(i, number);
    } else if (type_ == ElementType::kFloat32) {
      write(i, static_cast<float>(number));
    } else {
      write(i, sixteen_bits_of(sixteen(), number));
    }
  }

 private:
  DType sixteen() const { return type_ == ElementType::kFloat16 ? DType::kFloat16 : DType::kBFloat16; }
  template <typename Element>
  Element at(std::size_t i) const {
    Element element;
    std::memcpy(&element, bytes_.data() + i * sizeof(Element), sizeof(Element));
    return element;
  }
  template <typename Element>
  void write(std::size_t i, Element element) {
    std::memcpy(bytes_.data() + i * sizeof(Element), &element, sizeof(Element));
  }

  ElementType type_;
  std::vector<std::byte> bytes_;
};

struct Shape {
  std::int64_t N = 2, M = 3, D = 5, Q = 40, P = 3;
  std::vector<std::int64_t> sides{5, 7, 3, 4, 1, 6}, starts{2, 30, 42};  ///< rows 30 to 36 are of two levels
  std::int64_t S = 50;
};

std::vector<double> random_numbers(std::int64_t count, std::uint64_t seed, double low, double high) {
  const CounterRandom random(seed);
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < count; ++i)
    numbers.push_back(low + (high - low) * random.uniform(static_cast<std::uint64_t>(i)));
  return numbers;
}

/// Over `parts` parts, one after the other.
Threads in_parts(int parts) {
  return {parts, [parts](std::int64_t count, std::int64_t, const Work& work) {
            for (int part = 0; part < parts; ++part) {
              const std::int64_t begin = count * part / parts, end = count * (part + 1) / parts;
              if (begin < end) work(begin, end);
            }
          }};
}

/// A problem, its results, and its results by the mathematics.
struct Example {
  Example(const Shape& shape, ElementType type, ElementType point_type)
      : s(shape),
        levels(static_cast<std::int64_t>(s.starts.size())),
        value(type, random_numbers(s.N * s.S * s.M * s.D, 1, -1, 1)),
        location(point_type, random_numbers(2 * points(), 2, -0.2, 1.2)),
        weight(point_type, random_numbers(points(), 3, 0, 1)),
        grad_output(type, random_numbers(s.N * s.Q * s.M * s.D, 4, -1, 1)),
        output(type, std::vector<double>(grad_output.size(), kNan)),
        grad_value(type, std::vector<double>(value.size(), kNan)),
        grad_location(point_type, std::vector<double>(location.size(), kNan)),
        grad_weight(point_type, std::vector<double>(weight.size(), kNan)),
        type_(type),
        point_type_(point_type) {}

  std::int64_t points() const { return s.N * s.Q * s.M * levels * s.P; }

  void run(int parts = 1) {
    const Problem problem{s.N,
                          s.S,
                          s.M,
                          s.D,
                          s.Q,
                          levels,
                          s.P,
                          s.sides.data(),
                          s.starts.data(),
                          type_,
                          point_type_,
                          value.data(),
                          location.data(),
                          weight.data()};
    forward({problem, output.data()}, in_parts(parts));
    backward({problem, grad_output.data(), grad_value.data(), grad_location.data(), grad_weight.data()},
             in_parts(parts));
  }

  /// Fills the wanted results: every pixel of a level weighs hat(x - column) * hat(y - row). Of a point
  /// exactly on a pixel, slopes are those of the cell to the right and below.
  void compute() {
    wanted_output.assign(output.size(), 0);
    wanted_value.assign(value.size(), 0);
    wanted_location.assign(location.size(), 0);
    wanted_weight.assign(weight.size(), 0);
    for (std::int64_t i = 0; i < points(); ++i) {
      const std::int64_t l = i / s.P % levels, row = i / s.P / levels;
      for (std::int64_t y = 0; y < side(l, 0); ++y)
        for (std::int64_t x = 0; x < side(l, 1); ++x) add_pixel(i, l, row, y, x);
    }
  }

  Shape s;
  std::int64_t levels;
  Array value, location, weight, grad_output, output, grad_value, grad_location, grad_weight;
  std::vector<double> wanted_output, wanted_value, wanted_location, wanted_weight;

 private:
  std::int64_t side(std::int64_t l, std::int64_t axis) const {
    return s.sides[static_cast<std::size_t>(2 * l + axis)];
  }

  void add_pixel(std::int64_t i, std::int64_t l, std::int64_t row, std::int64_t y, std::int64_t x) {
    const auto hat = [](double t) { return std::max(0.0, 1 - std::abs(t)); };
    const auto slope = [](double t) { return t < 0 ? 1.0 : -1.0; };
    const auto point = static_cast<std::size_t>(i);
    const auto high = static_cast<double>(side(l, 0)), wide = static_cast<double>(side(l, 1));
    const double u = location[2 * point] * wide - 0.5 - static_cast<double>(x);
    const double v = location[2 * point + 1] * high - 0.5 - static_cast<double>(y);
    const bool in_range = u + static_cast<double>(x) > -1 && v + static_cast<double>(y) > -1;
    if (!(in_range && u >= -1 && u < 1 && v >= -1 && v < 1)) return;
    const std::int64_t n = row / s.M / s.Q, m = row % s.M;
    const std::int64_t pixel = n * s.S + s.starts[static_cast<std::size_t>(l)] + y * side(l, 1) + x;
    const double a = weight[point];
    for (std::int64_t c = 0; c < s.D; ++c) {
      const auto from = static_cast<std::size_t>((pixel * s.M + m) * s.D + c);
      const auto to = static_cast<std::size_t>(row * s.D + c);
      const double product = value[from] * grad_output[to];
      wanted_output[to] += a * hat(u) * hat(v) * value[from];
      wanted_value[from] += a * hat(u) * hat(v) * grad_output[to];
      wanted_weight[point] += product * hat(u) * hat(v);
      wanted_location[2 * point] += product * a * wide * slope(u) * hat(v);
      wanted_location[2 * point + 1] += product * a * high * hat(u) * slope(v);
    }
  }

  ElementType type_, point_type_;
};

void expect_near(const Array& found, const std::vector<double>& wanted, double tolerance, const char* what) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_NEAR(found[i], wanted[i], tolerance * (1 + std::abs(wanted[i]))) << what << ' ' << i;
  }
}

using Types = std::tuple<ElementType, ElementType>;

class EachSet : public testing::TestWithParam<std::tuple<std::string, Types>> {
 protected:
  void SetUp() override {
    setenv(kVariable, std::get<0>(GetParam()).c_str(), 1);
    try {
      kernels<float>();
    } catch (const std::runtime_error& error) {
      ASSERT_NE(std::get<0>(GetParam()), "baseline") << error.what();
      GTEST_SKIP() << error.what();
    }
  }
  void TearDown() override { unsetenv(kVariable); }

  Example example(const Shape& shape) const {
    const auto [type, point_type] = std::get<1>(GetParam());
    return {shape, type, point_type};
  }
  double tolerance() const {
    switch (std::get<0>(std::get<1>(GetParam()))) {
      case ElementType::kFloat64:
        return 1e-12;
      case ElementType::kFloat32:
        return 1e-4;
      case ElementType::kFloat16:
        return 1e-3;
      default:
        return 1e-2;
    }
  }
};

TEST_P(EachSet, AgreesWithTheMathematicsForAnyNumberOfChannels) {
  for (const std::int64_t queries : {40, 1}) {  // with maps of the heads, without
    for (const std::int64_t channels : {1, 2, 3, 4, 7, 16, 17, 31, 33, 64, 71, 130}) {
      Shape shape;
      shape.Q = queries;
      shape.D = channels;
      Example e = example(shape);
      e.run();
      e.compute();
      SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(queries) + " queries");
      expect_near(e.output, e.wanted_output, tolerance(), "output");
      expect_near(e.grad_value, e.wanted_value, tolerance(), "grad_value");
      expect_near(e.grad_location, e.wanted_location, tolerance(), "grad_sampling_loc");
      expect_near(e.grad_weight, e.wanted_weight, tolerance(), "grad_attn_weight");
    }
  }
}

TEST_P(EachSet, GivesTheSameBitsInAnyNumberOfParts) {
  Example whole = example({}), parts = example({});
  whole.run();
  for (const int count : {2, 3, 7, 100}) {
    parts.run(count);
    EXPECT_EQ(parts.output.bytes(), whole.output.bytes()) << count;
    EXPECT_EQ(parts.grad_value.bytes(), whole.grad_value.bytes()) << count;
    EXPECT_EQ(parts.grad_location.bytes(), whole.grad_location.bytes()) << count;
    EXPECT_EQ(parts.grad_weight.bytes(), whole.grad_weight.bytes()) << count;
  }
}

TEST_P(EachSet, GivesAQueryTheSameBitsWithoutAMap) {
  Shape shape, alone;
  alone.Q = 1;
  shape.N = alone.N = 1;
  shape.M = alone.M = 1;
  shape.D = alone.D = 37;
  Example all = example(shape), one = example(alone);
  all.run();
  const auto points = static_cast<std::size_t>(one.points());
  for (std::size_t q = 0; q < static_cast<std::size_t>(shape.Q); ++q) {
    for (std::size_t i = 0; i < points; ++i) {
      one.weight.put(i, all.weight[q * points + i]);
      for (std::size_t axis = 0; axis < 2; ++axis)
        one.location.put(2 * i + axis, all.location[2 * (q * points + i) + axis]);
    }
    one.run();
    for (std::size_t c = 0; c < 37; ++c) EXPECT_EQ(one.output[c], all.output[q * 37 + c]) << "query " << q;
  }
}

TEST_P(EachSet, TouchesNothingBesideTheMap) {
  Example e = example({});
  for (std::size_t i = 0; i < e.value.size(); ++i) e.value.put(i, kNan);
  for (std::size_t i = 0; i < e.grad_output.size(); ++i) e.grad_output.put(i, kInf);
  const double places[] = {kNan, kInf, -kInf, 1e4, -1e4, -0.5, 1.5};
  for (std::size_t i = 0; i < e.location.size(); ++i) e.location.put(i, places[i % std::size(places)]);
  for (std::size_t i = 0; i < e.weight.size(); ++i) e.weight.put(i, i % 2 == 0 ? kNan : kInf);
  e.run();
  e.compute();  // zeros
  expect_near(e.output, e.wanted_output, 0, "output");
  expect_near(e.grad_value, e.wanted_value, 0, "grad_value");
  expect_near(e.grad_location, e.wanted_location, 0, "grad_sampling_loc");
  expect_near(e.grad_weight, e.wanted_weight, 0, "grad_attn_weight");
}

/// One point on a map of one pixel, a quarter of a pixel beyond its centre: three corners lie beside the map.
TEST_P(EachSet, GivesZerosWhereAnExtentIsZero) {
  for (const auto extent : {&Shape::N, &Shape::M, &Shape::D, &Shape::Q, &Shape::P}) {
    Shape shape;
    shape.Q = 130;  // several blocks of them
    shape.*extent = 0;
    Example e = example(shape);
    e.run();
    e.compute();  // zeros, where there are any
    expect_near(e.output, e.wanted_output, 0, "output");
    expect_near(e.grad_value, e.wanted_value, 0, "grad_value");
    expect_near(e.grad_location, e.wanted_location, 0, "grad_sampling_loc");
    expect_near(e.grad_weight, e.wanted_weight, 0, "grad_attn_weight");
  }
}

TEST_P(EachSet, LeavesCornersBesideTheMapOutOfInfinities) {
  Shape shape;
  shape.N = shape.M = shape.Q = shape.P = shape.D = 1;
  shape.sides = {1, 1};
  shape.starts = {1};
  shape.S = 3;
  Example e = example(shape);
  for (const std::size_t beside : {0, 2}) e.value.put(beside, kNan);
  e.value.put(1, 2);
  e.location.put(0, 0.75);
  e.location.put(1, 0.75);
  e.weight.put(0, 1);
  e.grad_output.put(0, kInf);
  e.run();
  EXPECT_EQ(e.output[0], 1.125);
  EXPECT_EQ(e.grad_value[0], 0);
  EXPECT_EQ(e.grad_value[1], kInf);
  EXPECT_EQ(e.grad_value[2], 0);
  EXPECT_EQ(e.grad_weight[0], kInf);
  EXPECT_EQ(e.grad_location[0], -kInf);
  EXPECT_EQ(e.grad_location[1], -kInf);
}

std::string name_of(const testing::TestParamInfo<std::tuple<std::string, Types>>& info) {
  const char* names[] = {"float64", "float32", "float16", "bfloat16"};
  const auto [type, point_type] = std::get<1>(info.param);
  return std::get<0>(info.param) + "_" + names[static_cast<int>(type)] + (type == point_type ? "" : "_mixed");
}

INSTANTIATE_TEST_SUITE_P(
    Kernels, EachSet,
    testing::Combine(testing::Values("baseline", "avx2", "avx512"),
                     testing::Values(Types{ElementType::kFloat64, ElementType::kFloat64},
                                     Types{ElementType::kFloat32, ElementType::kFloat32},
                                     Types{ElementType::kFloat16, ElementType::kFloat16},
                                     Types{ElementType::kBFloat16, ElementType::kBFloat16},
                                     Types{ElementType::kFloat16, ElementType::kFloat32},
                                     Types{ElementType::kBFloat16, ElementType::kFloat32})),
    name_of);

TEST(InstructionSet, ThatIsUnknownIsRefused) {
  setenv(kVariable, "sse9", 1);
  try {
    Example(Shape{}, ElementType::kFloat32, ElementType::kFloat32).run();
    ADD_FAILURE() << "not refused";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("DEFORMDIFF_CPU_ISA is 'sse9'; this processor runs baseline"),
              std::string::npos)
        << error.what();
  }
  unsetenv(kVariable);
}

}  // namespace
}  // namespace deformdiff::worker::ms_deform_attn::cpu
