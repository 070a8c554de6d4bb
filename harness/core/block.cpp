#include "core/block.h"

namespace deformdiff {

Case Block::converted(Case c, DType dtype) const {
  for (NamedTensor& input : c.inputs) {
    const DType stored = input.tensor.dtype();
    if (is_floating(stored) && stored != dtype) input.tensor = convert(input.tensor.contiguous(), dtype);
  }
  return c;
}

}  // namespace deformdiff
