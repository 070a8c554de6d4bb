// The kernels' source, compiled once for each instruction set. The including file defines DEFORMDIFF_KERNELS
// (name of the function that gives them) and DEFORMDIFF_VECTOR_BYTES (width of its registers).
#include "subjects/ms_deform_attn/cpu/backward_body.h"
#include "subjects/ms_deform_attn/cpu/forward_body.h"
#include "subjects/ms_deform_attn/cpu/instruction_set.h"
#include "subjects/ms_deform_attn/cpu/map_body.h"

namespace deformdiff::worker::ms_deform_attn::cpu {

template <typename T>
Kernels<T> DEFORMDIFF_KERNELS() {
  return {workspace_bytes<T>,     fill_map<T>,       forward<T>, forward_from_value<T>, backward<T>,
          backward_into_value<T>, write_gradients<T>};
}

template Kernels<float> DEFORMDIFF_KERNELS();
template Kernels<double> DEFORMDIFF_KERNELS();

}  // namespace deformdiff::worker::ms_deform_attn::cpu
