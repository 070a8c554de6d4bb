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

  std::int64_t size(std::uint64_t index) const { return sizes_.at(index); }

 private:
  std::vector<std::int64_t> sizes_;
};

std::vector<std::size_t> cuts(const SizedGenerator& generator, std::uint64_t first, std::uint64_t end) {
  BatchSource source(generator, {7, {}, {}}, first, end, {});
  std::vector<std::size_t> sizes;
  std::uint64_t next = first;
  for (Batch batch = source.next({}); !batch.cases.empty(); batch = source.next({})) {
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

/// Says the sizes beforehand.
class OutliningGenerator : public SizedGenerator {
 public:
  using SizedGenerator::SizedGenerator;
  std::optional<Case> outline(const StreamChoice&, std::uint64_t index) const override {
    Case c;
    c.attributes["size"] = static_cast<double>(size(index));
    return c;
  }
};

TEST(BatchSource, WhatDoesNotFitIsNotDrawn) {
  const OutliningGenerator generator({8, 1000, 8, 1000});
  BatchSource source(generator, {7, {}, {}}, 0, 4, [](const Case& c) { return c.attribute("size") < 1000; });
  const Batch batch = source.next({});
  EXPECT_EQ(batch.cases.size(), 4U);
  EXPECT_EQ(batch.outlines, (std::set<std::size_t>{1, 3}));
  EXPECT_EQ(generator.generated, 2);
}

TEST(BatchSource, OnceTheDeadlineHasPassedNoMoreThanOneCaseIsDrawn) {
  const SizedGenerator generator(std::vector<std::int64_t>(150, 8));
  BatchSource source(generator, {7, {}, {}}, 0, 150, {});
  EXPECT_EQ(source.next(Deadline().within(0)).cases.size(), 1U);
  EXPECT_EQ(generator.generated, 1);
}

TEST(BatchSource, NothingIsAnEmptyBatch) {
  const SizedGenerator generator({});
  EXPECT_TRUE(cuts(generator, 0, 0).empty());
}

}  // namespace
}  // namespace deformdiff
