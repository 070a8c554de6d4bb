// Stands in for the header of the CUDA toolkit.
#pragma once

#include "emulation/cuda_emulation.h"
#include "emulation/runtime_api.h"
