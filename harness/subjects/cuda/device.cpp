#include "subjects/cuda/device.h"

#include <dlfcn.h>
#include <stdexcept>

namespace deformdiff::worker {
namespace {

std::string ask_driver() {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return "no NVIDIA driver on this machine";
  const auto initialise = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count_devices = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDeviceGetCount"));
  if (initialise == nullptr || count_devices == nullptr) return "the NVIDIA driver lacks cuInit";
  if (const int status = initialise(0); status != 0) {
    return "the NVIDIA driver does not start (cuInit: error " + std::to_string(status) + ")";
  }
  int count = 0;
  if (count_devices(&count) != 0 || count == 0) return "no CUDA device on this machine";
  return "";
}

}  // namespace

const std::string& why_no_cuda_device() {
  static const std::string reason = ask_driver();
  return reason;
}

void load_library(const char* soname) {
  if (dlopen(soname, RTLD_NOW | RTLD_GLOBAL) == nullptr) throw std::runtime_error(dlerror());
}

}  // namespace deformdiff::worker
