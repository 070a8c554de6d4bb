#include "subjects/ms_deform_attn/cpu/instruction_set.h"

#include <cstdlib>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

namespace deformdiff::worker::ms_deform_attn::cpu {
namespace {

constexpr const char* kVariable = "DEFORMDIFF_CPU_ISA";

struct Variant {
  std::string_view name;
  bool available;
  Kernels<float> (*of_float)();
  Kernels<double> (*of_double)();
};

/// The widest last.
const Variant* chosen() {
  static const Variant variants[] = {
    {"baseline", true, kernels_baseline<float>, kernels_baseline<double>},
#if defined(__x86_64__)
    {"avx2",
     __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"),
     kernels_avx2<float>, kernels_avx2<double>},
    {"avx512",
     __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("f16c"),
     kernels_avx512<float>, kernels_avx512<double>},
#endif
  };
  const char* wanted = std::getenv(kVariable);
  const Variant* found = nullptr;
  for (const Variant& variant : variants) {
    if (variant.available && (wanted == nullptr || variant.name == wanted)) found = &variant;
  }
  if (found != nullptr) return found;
  std::string names;
  for (const Variant& variant : variants) {
    if (variant.available) names += (names.empty() ? "" : ", ") + std::string(variant.name);
  }
  throw std::runtime_error(std::string(kVariable) + " is '" + wanted + "'; this processor runs " + names);
}

}  // namespace

template <>
Kernels<float> kernels() {
  return chosen()->of_float();
}
template <>
Kernels<double> kernels() {
  return chosen()->of_double();
}

}  // namespace deformdiff::worker::ms_deform_attn::cpu
