#define DEFORMDIFF_KERNELS kernels_baseline
#define DEFORMDIFF_VECTOR_BYTES 16
#include "subjects/ms_deform_attn/cpu/kernels_body.h"
