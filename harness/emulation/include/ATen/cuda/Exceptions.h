// Stands in for the header of PyTorch.
#pragma once

#include "c10/cuda/CUDAException.h"
