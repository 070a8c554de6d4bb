#include "engine/journal/records.h"

namespace deformdiff {

void add(DrawnCases& all, const DrawnCases& part) {
  all.cases.add(part.cases);
  add(all.split, part.split);
  for (const auto& [trigger, cases] : part.triggers) all.triggers[trigger] += cases;
}

}  // namespace deformdiff
