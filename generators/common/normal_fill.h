// Filling memory with normal numbers: most of what generating a case costs.
#pragma once

#include "core/random.h"

#include <cstddef>

namespace deformdiff {

/// Element i is normal(random.bits(i)).
void fill_normal(const CounterRandom& random, std::size_t count, double* out);

/// Elements 2i and 2i+1 are normal_float() of the low and the high half of random.bits(i).
void fill_normal(const CounterRandom& random, std::size_t count, float* out);

}  // namespace deformdiff
