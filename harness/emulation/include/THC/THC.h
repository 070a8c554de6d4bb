// Stands in for the header of PyTorch.
#pragma once

#include "ATen/cuda/CUDAContext.h"
