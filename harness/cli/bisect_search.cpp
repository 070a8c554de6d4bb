#include "cli/bisect_search.h"

#include <algorithm>
#include <optional>

namespace deformdiff::cli {
namespace {

struct Tested {
  std::size_t version;
  Goodness goodness;
};

class Search {
 public:
  Search(std::size_t versions, const std::function<Goodness(std::size_t)>& test)
      : count_(versions), test_(test) {}

  Bisection run() {
    std::vector<std::size_t> order(count_);
    for (std::size_t i = 0; i < count_; ++i) order[i] = i;
    const std::optional<Tested> oldest = first_tested(order);
    if (!oldest) return {};
    order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(oldest->version + 1));
    std::ranges::reverse(order);
    const Tested newest = first_tested(order).value_or(*oldest);
    const bool old_is_bad = oldest->goodness == Goodness::kBad,
               new_is_bad = newest.goodness == Goodness::kBad;
    if (old_is_bad) {
      return {new_is_bad ? Bisection::End::kFirstIsBad : Bisection::End::kNotMonotone, {oldest->version}};
    }
    if (!new_is_bad) return {Bisection::End::kLastIsGood, {newest.version}};
    return between(oldest->version, newest.version);
  }

 private:
  /// Of these, in this order, the first that can be tested.
  std::optional<Tested> first_tested(const std::vector<std::size_t>& order) const {
    for (const std::size_t version : order) {
      const Goodness goodness = test_(version);
      if (goodness != Goodness::kSkipped) return Tested{version, goodness};
    }
    return std::nullopt;
  }

  Bisection between(std::size_t good, std::size_t bad) const {
    std::vector<bool> skipped(count_, false);
    while (true) {
      std::vector<std::size_t> left;
      for (std::size_t i = good + 1; i < bad; ++i) {
        if (!skipped[i]) left.push_back(i);
      }
      if (left.empty()) break;
      const std::size_t version = left[left.size() / 2];
      switch (test_(version)) {
        case Goodness::kGood:
          good = version;
          break;
        case Goodness::kBad:
          bad = version;
          break;
        case Goodness::kSkipped:
          skipped[version] = true;
      }
    }
    // What lies between them was skipped.
    Bisection found{Bisection::End::kFound, {}};
    for (std::size_t i = good + 1; i <= bad; ++i) found.versions.push_back(i);
    return found;
  }

  std::size_t count_;
  const std::function<Goodness(std::size_t)>& test_;
};

}  // namespace

Bisection bisect(std::size_t versions, const std::function<Goodness(std::size_t)>& test) {
  return Search(versions, test).run();
}

}  // namespace deformdiff::cli
