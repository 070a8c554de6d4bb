#include "engine/batch.h"

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

/// Case i is a tensor of sizes[i] bytes.
class SizedGenerator : public Generator {
 public:
  explicit SizedGenerator(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) {}
  std::vector<Tier> tiers() const override { return {}; }
  std::vector<TriggerClass> triggers() const override { return {}; }
  std::vector<std::string> triggers_hit(const Case&) const override { return {}; }
  Case generate(const StreamChoice& choice, std::uint64_t index) const override {
    ++generated;
    const std::int64_t size = sizes_.at(index);
    Case c;
    c.provenance = {"fake", "", choice.seed, index};
    c.inputs = {{"x", Tensor(DType::kUInt8, {size}, Tensor::Bytes(static_cast<std::size_t>(size)))}};
    return c;
  }
  mutable int generated = 0;

 private:
  std::vector<std::int64_t> sizes_;
};

std::vector<std::size_t> cuts(const SizedGenerator& generator, std::uint64_t first, std::uint64_t end) {
  BatchSource source(generator, {7, {}, {}}, first, end);
  std::vector<std::size_t> sizes;
  std::uint64_t next = first;
  for (Batch batch = source.next(); !batch.cases.empty(); batch = source.next()) {
    EXPECT_EQ(batch.first, next);
    for (const Case& c : batch.cases) EXPECT_EQ(c.provenance.index, next++);
    sizes.push_back(batch.cases.size());
  }
  EXPECT_EQ(next, end);
  return sizes;
}

TEST(BatchSource, CutsByCount) {
  const SizedGenerator generator(std::vector<std::int64_t>(150, 8));
  EXPECT_EQ(cuts(generator, 0, 150), (std::vector<std::size_t>{4, 8, 16, 32, 64, 26}));
  EXPECT_EQ(cuts(generator, 100, 110), (std::vector<std::size_t>{4, 6}));
}

TEST(BatchSource, ALargeCaseIsABatchOfItsOwn) {
  const SizedGenerator generator({1, 1, kBatchBytes + 1, 1, kBatchBytes - 1, 2});
  EXPECT_EQ(cuts(generator, 0, 6), (std::vector<std::size_t>{2, 1, 2, 1}));
  EXPECT_EQ(generator.generated, 6);
}

TEST(BatchSource, NothingIsAnEmptyBatch) {
  const SizedGenerator generator({});
  EXPECT_TRUE(cuts(generator, 0, 0).empty());
}

}  // namespace
}  // namespace deformdiff
