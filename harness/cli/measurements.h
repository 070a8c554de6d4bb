// Samples of `bench`, and how they are shown.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace deformdiff::cli {

struct Series {
  std::string id;    ///< "op/small256/near/fwd/cpu/t1"
  std::string unit;  ///< ms, us, cases/s or Mscc/s
  std::vector<double> samples;
};

/// In the order in which ids were first seen.
class Measurements {
 public:
  void add(const std::string& id, const std::string& unit, double sample);
  const std::vector<Series>& series() const { return series_; }

 private:
  std::vector<Series> series_;
};

/// {"results": [{"id", "unit", "samples"}], "notes": {}}
std::string measurements_json(const Measurements& measurements,
                              const std::map<std::string, std::string>& notes);

/// Minimum, median and spread of each, and for `op/` ids the ratio of its minimum to that of the composite.
std::string measurements_table(const Measurements& measurements);

}  // namespace deformdiff::cli
