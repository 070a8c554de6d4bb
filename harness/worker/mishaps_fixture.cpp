// A library of operators for the test of mishaps: ours under another name, and the same with mishaps.
#include "worker/mishaps_test.h"

#include <csignal>
#include <cstdlib>
#include <deformdiff/ms_deform_attn.h>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace {

using deformdiff::Mishap;

at::Tensor right(const at::Tensor& value, const at::Tensor& spatial_shapes,
                 const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                 const at::Tensor& attn_weight, std::int64_t im2col_step) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("deformdiff::ms_deform_attn_forward", "")
                             .typed<decltype(right)>();
  return op.call(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step);
}

void eat_memory() {
  constexpr std::size_t kMeal = std::size_t{64} << 20;
  for (std::vector<std::unique_ptr<std::byte[]>> eaten;;) eaten.emplace_back(new std::byte[kMeal]);
}

/// Into whatever this process can write to, the channel among it.
void babble() {
  constexpr std::string_view nonsense = "Segmentation fault? Never heard of it.\n";
  for (int descriptor = 3; descriptor < 256; ++descriptor) {
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) continue;
    static_cast<void>(!::write(descriptor, nonsense.data(), nonsense.size()));
  }
}

void meet(Mishap mishap) {
  switch (mishap) {
    case Mishap::kNone:
      return;
    case Mishap::kCrash:
      static_cast<void>(std::raise(SIGSEGV));
      return;
    case Mishap::kHang:
      for (;;) ::pause();
    case Mishap::kExit:
      std::exit(0);
    case Mishap::kOutOfMemory:
      return eat_memory();
    case Mishap::kGarbage:
      return babble();
  }
}

at::Tensor with_mishaps(const at::Tensor& value, const at::Tensor& spatial_shapes,
                        const at::Tensor& level_start_index, const at::Tensor& sampling_loc,
                        const at::Tensor& attn_weight, std::int64_t im2col_step) {
  if (sampling_loc.numel() > 0) {
    const std::span location(static_cast<const std::byte*>(sampling_loc.const_data_ptr()),
                             static_cast<std::size_t>(sampling_loc.element_size()));
    meet(deformdiff::mishap_of({sampling_loc.size(0), sampling_loc.size(1), sampling_loc.size(2)}, location));
  }
  return right(value, spatial_shapes, level_start_index, sampling_loc, attn_weight, im2col_step);
}

}  // namespace

TORCH_LIBRARY(without_mishaps, library) {
  library.def(deformdiff::kMsDeformAttnForward);
}
TORCH_LIBRARY_IMPL(without_mishaps, CPU, library) {
  library.impl("ms_deform_attn_forward", right);
}

TORCH_LIBRARY(with_mishaps, library) {
  library.def(deformdiff::kMsDeformAttnForward);
}
TORCH_LIBRARY_IMPL(with_mishaps, CPU, library) {
  library.impl("ms_deform_attn_forward", with_mishaps);
}
