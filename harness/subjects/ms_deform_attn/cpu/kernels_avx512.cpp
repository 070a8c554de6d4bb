#define DEFORMDIFF_KERNELS kernels_avx512
#define DEFORMDIFF_VECTOR_BYTES 64
#include "subjects/ms_deform_attn/cpu/kernels_body.h"
