#define DEFORMDIFF_CPU_ROWS cpu_rows_avx512
#define DEFORMDIFF_VECTOR_BYTES 64
#include "subjects/ms_deform_attn/cpu/kernel_body.h"
