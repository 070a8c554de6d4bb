// Stands in for the header of the CUDA toolkit.
#pragma once

#include "cuda_runtime.h"
