#include "generators/reference_points_gen.h"

#include "blocks/reference_points.h"
#include "generators/staged_gen.h"

namespace deformdiff::reference_points {
namespace {

/// Nothing that is not in every block.
void adapt(Sketch&, Draw&) {}

}  // namespace

const Generator& generator() {
  static const StagedGenerator instance(block(), adapt);
  return instance;
}

}  // namespace deformdiff::reference_points
