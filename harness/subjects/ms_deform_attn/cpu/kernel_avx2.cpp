#define DEFORMDIFF_CPU_ROWS cpu_rows_avx2
#define DEFORMDIFF_VECTOR_BYTES 32
#include "subjects/ms_deform_attn/cpu/kernel_body.h"
