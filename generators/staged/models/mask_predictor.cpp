#include "generators/staged/models/adaptations.h"

namespace deformdiff {

/// Pixels of one map, whatever the levels are.
void adapt_mask_predictor(Sketch& sketch, Draw& draw) {
  name_map(sketch, draw);
}

}  // namespace deformdiff
