#define DEFORMDIFF_CPU_ROWS cpu_rows_baseline
#define DEFORMDIFF_VECTOR_BYTES 16
#include "subjects/ms_deform_attn/cpu/kernel_body.h"
