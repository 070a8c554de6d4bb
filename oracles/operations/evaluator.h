// What every operation is to operation.cpp, which makes an oracle of it: tiles of elements. T, float or
// double, is the dtype that the case computes in.
#pragma once

#include "core/case.h"
#include "core/dtype_dispatch.h"
#include "oracles/operations/element.h"

#include <string>
#include <vector>

namespace deformdiff::operation {

/// Elements that are computed together: `rows` runs of `columns`, `stride` apart in the output.
struct Tile {
  std::int64_t first = 0, rows = 1, columns = 0, stride = 0;
  std::int64_t elements() const { return rows * columns; }
};

/// One case of one operation. Constructing it reads no more than shapes, and throws InputError where inputs
/// or attributes are not those of operations.h; prepare() comes before evaluate(), which is thread-safe.
/// Refers to the case, which must outlive it.
template <typename T>
class Evaluator {
 public:
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;
  virtual ~Evaluator() = default;

  /// Work that all tiles share.
  virtual void prepare(int /*threads*/) {}

  virtual std::int64_t tiles() const = 0;
  virtual Tile tile(std::int64_t index) const = 0;
  virtual std::int64_t tile_of(std::int64_t element) const = 0;

  /// Fills tile(index).elements() fresh elements, row by row. The tiles cover shape(), each element once.
  virtual void evaluate(std::int64_t index, Element<T>* elements) const = 0;

  /// About one element, for people.
  virtual std::vector<std::string> describe(std::int64_t /*element*/) const { return {}; }

  /// Largest relative error of one step: what says which sets are narrow.
  virtual double coarsest_unit() const { return unit(); }

  const Shape& shape() const { return shape_; }  ///< of the output
  DType dtype() const { return dtype_; }         ///< of the output; T's unless the operation says otherwise
  const Setting& setting() const { return setting_; }
  double roundings() const { return roundings_; }
  bool exact_in_double() const { return exact_in_double_; }

 protected:
  Evaluator(const Setting& setting, Shape shape, double roundings)
      : setting_(setting), shape_(std::move(shape)), roundings_(roundings) {}

  const Rounding& rounding() const { return setting_.rounding; }
  double unit() const { return setting_.rounding.unit; }
  double underflow() const { return setting_.rounding.underflow; }
  /// What an addition, or a result that is exact in the normal range, may lose: 0 without flush_to_zero.
  double flush() const { return setting_.rounding.flush_to_zero ? setting_.rounding.tiny : 0; }

  Setting setting_;
  Shape shape_;
  DType dtype_ = kDTypeOf<T>;     ///< of the output
  double roundings_;              ///< more than any path of one element has
  bool exact_in_double_ = false;  ///< values are doubles exactly: no low parts
};

/// Elements that need nothing of each other.
template <typename T>
class Elementwise : public Evaluator<T> {
 public:
  std::int64_t tiles() const final { return (elements_ + kTile - 1) / kTile; }
  Tile tile(std::int64_t index) const final {
    return {index * kTile, 1, std::min(kTile, elements_ - index * kTile), 0};
  }
  std::int64_t tile_of(std::int64_t element) const final { return element / kTile; }
  void evaluate(std::int64_t index, Element<T>* elements) const final {
    const Tile part = tile(index);
    for (std::int64_t i = 0; i < part.columns; ++i) element(part.first + i, elements[i]);
  }

 protected:
  Elementwise(const Setting& setting, Shape shape, double roundings)
      : Evaluator<T>(setting, std::move(shape), roundings), elements_(element_count(this->shape_)) {}
  virtual void element(std::int64_t index, Element<T>& out) const = 0;

 private:
  static constexpr std::int64_t kTile = 1024;
  std::int64_t elements_;
};

/// Rows along the last axis of the output, each computed as one.
template <typename T>
class Rowwise : public Evaluator<T> {
 public:
  std::int64_t tiles() const final { return columns_ == 0 ? 0 : element_count(this->shape_) / columns_; }
  Tile tile(std::int64_t index) const final { return {index * columns_, 1, columns_, 0}; }
  std::int64_t tile_of(std::int64_t element) const final { return element / columns_; }

 protected:
  Rowwise(const Setting& setting, Shape shape, double roundings)
      : Evaluator<T>(setting, std::move(shape), roundings), columns_(this->shape_.back()) {}
  std::int64_t columns() const { return columns_; }

 private:
  std::int64_t columns_;
};

/// Elements of a contiguous input, which must be of the dtype asked for: T's, int64 or bool. Throws
/// InputError if it is missing or of another dtype.
template <typename T>
std::span<const T> floats(const Case& c, const std::string& name) {
  const Tensor& tensor = c.input(name);
  if (tensor.dtype() != kDTypeOf<T>) {
    throw InputError("operation " + c.block + ": " + name + " is " + std::string(name_of(tensor.dtype())) +
                     ", " + std::string(name_of(kDTypeOf<T>)) + " wanted");
  }
  return tensor.values<T>();
}
std::span<const std::int64_t> integers(const Case& c, const std::string& name);
std::span<const std::uint8_t> booleans(const Case& c, const std::string& name);

/// Throws InputError naming the operation and `what` unless `condition`.
void require(bool condition, const Case& c, const char* what);

}  // namespace deformdiff::operation
