// Near the smallest numbers: gradual underflow, and processors that flush subnormal operands and results to
// 0.
#include "oracles/operations/cases_test.h"

#include <algorithm>

#if defined(__SSE2__)
#include <immintrin.h>

namespace deformdiff::operation {
namespace {

/// While it lives, subnormal operands and results are 0 if `on`.
class Flushing {
 public:
  explicit Flushing(bool on) : before_(_mm_getcsr()) {
    if (on) _mm_setcsr(before_ | 0x8040U);  // flush to zero, denormals are zero
  }
  ~Flushing() { _mm_setcsr(before_); }
  Flushing(const Flushing&) = delete;
  Flushing& operator=(const Flushing&) = delete;

 private:
  unsigned before_;
};

template <typename T>
class Underflow : public testing::Test {
 protected:
  /// Computes f() in T, flushing and not, and checks both.
  template <typename F>
  void check(const std::string& operation, const Attributes& attributes,
             const std::vector<NamedTensor>& inputs, const F& f) {
    for (const bool flush : {false, true}) {
      Precision precision;
      precision.flush_to_zero = flush;
      const OutputReference reference = refer(operation, attributes, inputs, precision);
      std::vector<T> computed;
      {
        const Flushing flushing(flush);
        computed = f();
      }
      EXPECT_LE(worst(reference, computed), 1) << operation << (flush ? " flushing" : "");
    }
  }

  /// Around the smallest normal number, zero among them.
  std::vector<T> tiny(std::int64_t count, double shift = 0) {
    const double least = std::log2(std::numeric_limits<T>::min());
    std::vector<T> values;
    for (std::int64_t i = 0; i < count; ++i) {
      const double magnitude = dice_.spread(least - 12 + shift, least + 12 + shift);
      values.push_back(dice_.between(0, 7) == 0 ? T(0) : static_cast<T>(magnitude));
    }
    return values;
  }

  Dice dice_{17};
};
TYPED_TEST_SUITE(Underflow, Floats);

TYPED_TEST(Underflow, SumsAndProducts) {
  using T = TypeParam;
  for (int round = 0; round < 300; ++round) {
    const auto a = this->tiny(24), b = this->tiny(24),
               large = this->dice_.template uniforms<T>(24, -100, 100);
    this->check("add", {}, {named("a", {24}, a), named("b", {24}, b)}, [&] {
      std::vector<T> sums;
      for (std::size_t i = 0; i < 24; ++i) sums.push_back(a[i] + b[i]);
      return sums;
    });
    this->check(
        "linear", {},
        {named("x", {3, 8}, a), named("weight", {3, 8}, large), named<T>("bias", {3}, {b[0], b[1], b[2]})},
        [&] {
          std::vector<T> sums;
          for (std::size_t i = 0; i < 9; ++i) {
            T sum = b[i % 3];
            for (std::size_t k = 0; k < 8; ++k) sum += a[i / 3 * 8 + k] * large[i % 3 * 8 + k];
            sums.push_back(sum);
          }
          return sums;
        });
    // Halves of the exponent range: the products underflow.
    const double middle = -std::log2(std::numeric_limits<T>::min()) / 2;
    const auto c = this->tiny(24, middle), d = this->tiny(24, middle);
    this->check("matmul", {}, {named("a", {1, 3, 8}, c), named("b", {1, 8, 3}, d)}, [&] {
      std::vector<T> sums;
      for (std::size_t i = 0; i < 9; ++i) {
        T sum = 0;
        for (std::size_t k = 0; k < 8; ++k) sum += c[i / 3 * 8 + k] * d[k * 3 + i % 3];
        sums.push_back(sum);
      }
      return sums;
    });
    this->check("mean_heads", {{"heads", 3}}, {named("x", {3, 2, 4}, a)}, [&] {
      std::vector<T> means;
      for (std::size_t i = 0; i < 8; ++i) means.push_back((a[i] + a[i + 8] + a[i + 16]) / 3);
      return means;
    });
    for (const int depth : {16, 32}) {
      this->check("scale", {{"head_dim", depth}}, {named("x", {24}, a)}, [&] {
        std::vector<T> scaled;
        for (const T t : a) scaled.push_back(t * (1 / std::sqrt(static_cast<T>(depth))));
        return scaled;
      });
    }
  }
}

TYPED_TEST(Underflow, PointsAndAngles) {
  using T = TypeParam;
  for (int round = 0; round < 300; ++round) {
    const auto a = this->tiny(24), r = this->tiny(4), ratios = this->dice_.template uniforms<T>(2, 0.2, 1);
    for (const std::int64_t side : {8, 13}) {
      this->check(
          "sampling_locations", {},
          {named("offsets", {1, 1, 1, 1, 12, 2}, a), named<T>("reference_points", {1, 1, 1, 2}, {r[0], r[1]}),
           named("spatial_shapes", {1, 2}, std::vector<std::int64_t>{side, side})},
          [&] {
            std::vector<T> points;
            for (std::size_t i = 0; i < 24; ++i) points.push_back(r[i % 2] + a[i] / static_cast<T>(side));
            return points;
          });
    }
    this->check("scaled_points", {},
                {named("points", {1, 12, 2}, a), named("valid_ratios", {1, 1, 2}, ratios)}, [&] {
                  std::vector<T> points;
                  for (std::size_t i = 0; i < 24; ++i) points.push_back(a[i] * ratios[i % 2]);
                  return points;
                });
    this->check("angles", {}, {named("coordinates", {1, 1, 24}, a), named<T>("temperatures", {2}, {1, 37})},
                [&] {
                  std::vector<T> angles;
                  for (const T t : a) angles.insert(angles.end(), {t / 1, t / 37});
                  return angles;
                });
  }
}

TYPED_TEST(Underflow, NormsAndMaps) {
  using T = TypeParam;
  for (int round = 0; round < 300; ++round) {
    const auto a = this->tiny(24, round % 2 == 0 ? 0 : 10),
               weight = this->dice_.template uniforms<T>(24, -2, 2), bias = this->tiny(24);
    this->check("layer_norm", {{"eps", 1e-5}},
                {named("x", {1, 24}, a), named("weight", {24}, weight), named("bias", {24}, bias)}, [&] {
                  T mean = 0, square = 0;
                  for (const T t : a) mean += t;
                  mean /= 24;
                  for (const T t : a) square += (t - mean) * (t - mean);
                  const T scale = 1 / std::sqrt(square / 24 + T(1e-5));
                  std::vector<T> y;
                  for (std::size_t i = 0; i < 24; ++i)
                    y.push_back((a[i] - mean) * scale * weight[i] + bias[i]);
                  return y;
                });
    this->check("resize", {{"height", 1}, {"width", 9}}, {named("x", {1, 1, 1, 24}, a)}, [&] {
      std::vector<T> y;
      for (std::size_t i = 0; i < 9; ++i) {
        const T x = (static_cast<T>(i) + T(0.5)) * (T(24) / 9) - T(0.5);
        const auto cell = static_cast<std::size_t>(x);
        const T f = x - static_cast<T>(cell);
        y.push_back((1 - f) * a[cell] + f * a[cell + 1]);
      }
      return y;
    });
  }
}

TYPED_TEST(Underflow, Exponentials) {
  using T = TypeParam;
  const double range = sizeof(T) == 4 ? 110 : 760;
  for (int round = 0; round < 300; ++round) {
    const auto x = this->dice_.template uniforms<T>(24, -range, range / 50);
    this->check("softmax", {}, {named("x", {1, 24}, x)}, [&] {
      const T largest = *std::max_element(x.begin(), x.end());
      std::vector<T> p;
      T sum = 0;
      for (const T t : x) {
        p.push_back(std::exp(t - largest));
        sum += p.back();
      }
      for (T& t : p) t /= sum;
      return p;
    });
    this->check("sigmoid", {}, {named("x", {24}, x)}, [&] {
      std::vector<T> s;
      for (const T t : x) s.push_back(1 / (1 + std::exp(-t)));
      return s;
    });
  }
}

}  // namespace
}  // namespace deformdiff::operation
#endif
