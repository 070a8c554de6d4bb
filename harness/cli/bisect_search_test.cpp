#include "cli/bisect_search.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

using End = Bisection::End;
using Versions = std::vector<std::size_t>;

/// 'g' good, 'b' bad, 's' skipped; `tested` gets the versions in the order in which they were tested.
Bisection search(const std::string& versions, Versions& tested) {
  tested.clear();
  return bisect(versions.size(), [&](std::size_t version) {
    tested.push_back(version);
    return versions[version] == 'g'   ? Goodness::kGood
           : versions[version] == 'b' ? Goodness::kBad
                                      : Goodness::kSkipped;
  });
}

Bisection search(const std::string& versions) {
  Versions tested;
  return search(versions, tested);
}

TEST(Bisect, FindsTheFirstBadOneWhereverItIs) {
  for (std::size_t count = 2; count < 40; ++count) {
    for (std::size_t first_bad = 1; first_bad < count; ++first_bad) {
      Versions tested;
      const Bisection found =
          search(std::string(first_bad, 'g') + std::string(count - first_bad, 'b'), tested);
      EXPECT_EQ(found.end, End::kFound);
      EXPECT_EQ(found.versions, Versions{first_bad}) << count;
      EXPECT_LE(tested.size(), 8U) << count;
      std::ranges::sort(tested);
      EXPECT_EQ(std::ranges::adjacent_find(tested), tested.end()) << "one was tested twice";
    }
  }
}

TEST(Bisect, SaysWhyNoneIsNamed) {
  EXPECT_EQ(search("").end, End::kNothingTested);
  EXPECT_EQ(search("sss").end, End::kNothingTested);
  EXPECT_EQ(search("b").end, End::kFirstIsBad);
  EXPECT_EQ(search("g").end, End::kLastIsGood);
  EXPECT_EQ(search("sbbb").end, End::kFirstIsBad);
  EXPECT_EQ(search("sbbb").versions, Versions{1});
  EXPECT_EQ(search("gggs").end, End::kLastIsGood);
  EXPECT_EQ(search("gggs").versions, Versions{2});
  EXPECT_EQ(search("bbgg").end, End::kNotMonotone);
}

TEST(Bisect, WhatIsSkippedMayBeTheFirstBadOne) {
  EXPECT_EQ(search("gsb").versions, (Versions{1, 2}));
  EXPECT_EQ(search("gssgssb").versions, (Versions{4, 5, 6}));
  EXPECT_EQ(search("sgsbs").versions, (Versions{2, 3}));
  EXPECT_EQ(search("gsgb").versions, Versions{3});
}

}  // namespace
}  // namespace deformdiff::cli
