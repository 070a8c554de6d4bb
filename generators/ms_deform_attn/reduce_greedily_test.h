// A reducer for tests of shrinks, and the text of what it ends with.
#pragma once

#include "blocks/ms_deform_attn.h"
#include "generators/ms_deform_attn/shrinks.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

namespace deformdiff::ms_deform_attn {

using Fails = std::function<bool(const Case&)>;

struct Greedy {
  Case smallest;
  int evaluations = 0;  ///< without those of the last round, which all passed
};

/// Takes the first candidate that still fails and starts over; never tries a case twice.
inline Greedy reduce_greedily(const Case& from, const Fails& fails) {
  Greedy result{from, 0};
  std::set<std::string> tried;
  const auto key = [](const Case& c) {
    std::string bytes = std::to_string(c.attribute("im2col_step"));
    for (const NamedTensor& input : c.inputs) {
      bytes += to_string(input.tensor.shape()) + to_string(input.tensor.strides());
      const auto storage = input.tensor.storage();
      bytes.append(reinterpret_cast<const char*>(storage.data()), storage.size());
    }
    return std::to_string(std::hash<std::string>{}(bytes));
  };
  int round = 0;
  CaseStream stream = shrink_stream(result.smallest);
  while (const std::optional<Case> next = stream()) {
    if (!tried.insert(key(*next)).second) continue;
    ++round;
    if (!fails(*next)) continue;
    result.smallest = *next;
    result.evaluations += round;
    round = 0;
    stream = shrink_stream(result.smallest);
  }
  return result;
}

inline std::string describe(const Case& c) {
  const Dims d = parse(c).dims;
  std::string text = "N" + std::to_string(d.N) + " Q" + std::to_string(d.Q) + " M" + std::to_string(d.M) +
                     " D" + std::to_string(d.D) + " L" + std::to_string(d.L) + " P" + std::to_string(d.P) +
                     " S" + std::to_string(d.S) + " step " + std::to_string(c.attribute("im2col_step"));
  for (const NamedTensor& input : c.inputs) {
    text += "\n  " + input.name + ":";
    for (std::int64_t i = 0; i < std::min<std::int64_t>(input.tensor.elements(), 24); ++i) {
      text += " " + std::to_string(input.tensor.element(i));
    }
  }
  return text;
}

}  // namespace deformdiff::ms_deform_attn
