#define DEFORMDIFF_KERNELS kernels_avx2
#define DEFORMDIFF_VECTOR_BYTES 32
#include "subjects/ms_deform_attn/cpu/kernels_body.h"
