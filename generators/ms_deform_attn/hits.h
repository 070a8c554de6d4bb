// Tables of trigger classes, and marking what a case hits.
#pragma once

#include "core/generator.h"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::ms_deform_attn {

struct ClassRow {
  std::string_view name, description;
  std::string_view tier{};  ///< as TriggerClass's
};

template <std::size_t kCount>
std::vector<TriggerClass> classes_of(const std::array<ClassRow, kCount>& rows) {
  std::vector<TriggerClass> classes;
  for (const auto& [name, description, tier] : rows)
    classes.push_back({std::string(name), std::string(description), std::string(tier)});
  return classes;
}

/// A class of the table `kRows` by its place, found when compiling: a name that is none does not compile.
template <const auto& kRows>
struct Trigger {
  consteval Trigger(const char* name) {
    while (kRows.at(place).name != name) ++place;
  }
  std::size_t place = 0;
};

/// Those of the table that a case hits.
template <const auto& kRows>
class Hits {
 public:
  void mark(Trigger<kRows> trigger, bool hit) { hit_[trigger.place] = hit_[trigger.place] || hit; }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (std::size_t t = 0; t < hit_.size(); ++t) {
      if (hit_[t]) names.emplace_back(kRows[t].name);
    }
    return names;
  }

 private:
  std::array<bool, kRows.size()> hit_{};
};

}  // namespace deformdiff::ms_deform_attn
