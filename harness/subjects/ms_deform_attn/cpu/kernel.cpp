#include "subjects/ms_deform_attn/cpu/kernel.h"

#include "subjects/ms_deform_attn/cpu/plan.h"

namespace deformdiff::worker::ms_deform_attn {

template <typename T>
std::int64_t cpu_workspace_bytes(const ForwardArguments<T>& arguments) {
  CpuPlan<T> plan;
  return lay_out<T>(arguments, nullptr, plan);
}

template <typename T>
CpuRows<T> cpu_rows() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return cpu_rows_avx512<T>;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return cpu_rows_avx2<T>;
#endif
  return cpu_rows_baseline<T>;
}

template std::int64_t cpu_workspace_bytes(const ForwardArguments<float>&);
template std::int64_t cpu_workspace_bytes(const ForwardArguments<double>&);
template CpuRows<float> cpu_rows();
template CpuRows<double> cpu_rows();

}  // namespace deformdiff::worker::ms_deform_attn
