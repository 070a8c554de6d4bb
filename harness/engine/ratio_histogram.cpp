#include "engine/ratio_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace deformdiff {

void RatioHistogram::add(const RatioHistogram& other) {
  for (std::size_t bin = 0; bin < counts_.size(); ++bin) counts_[bin] += other.counts_[bin];
  max_ = std::max(max_, other.max_);
}

std::int64_t RatioHistogram::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

double RatioHistogram::upper_edge(int bin) {
  if (bin == kBins - 1) return std::numeric_limits<double>::infinity();
  return std::ldexp(1.0 + bin % 8 / 8.0, kLowest + bin / 8);
}

std::vector<RatioHistogram::Bin> RatioHistogram::bins() const {
  std::vector<Bin> bins;
  for (int bin = 0; bin < kBins; ++bin) {
    bins.push_back({upper_edge(bin), counts_[static_cast<std::size_t>(bin)]});
  }
  return bins;
}

double RatioHistogram::quantile(double q) const {
  const auto wanted = static_cast<std::int64_t>(std::ceil(q * static_cast<double>(total())));
  std::int64_t below = 0;
  for (int bin = 0; bin < kBins - 1; ++bin) {
    below += counts_[static_cast<std::size_t>(bin)];
    if (below >= wanted) return std::min(upper_edge(bin), max_);
  }
  return max_;
}

}  // namespace deformdiff
