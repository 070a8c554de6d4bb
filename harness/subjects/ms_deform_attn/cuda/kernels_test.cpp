// What the fuzzer does not ask of the CUDA kernels: determinism on request, misaligned arrays, streams,
// devices.
#include "emulation/launch.h"
#include "subjects/cuda/device.h"
#include "subjects/ms_deform_attn/backward.h"
#include "subjects/ms_deform_attn/forward.h"
#include "subjects/test_inputs.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <gtest/gtest.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::backward_cpu;
using ms_deform_attn::backward_cuda_emulated;
using ms_deform_attn::backward_operator;
using ms_deform_attn::forward_cpu;
using ms_deform_attn::forward_cuda_emulated;
using ms_deform_attn::forward_operator;
using ms_deform_attn::Gradients;
using ms_deform_attn::Inputs;

/// Deterministic algorithms are asked for while it lives.
class Determinism {
 public:
  Determinism() { at::globalContext().setDeterministicAlgorithms(true, false); }
  ~Determinism() { at::globalContext().setDeterministicAlgorithms(false, false); }
  Determinism(const Determinism&) = delete;
  Determinism& operator=(const Determinism&) = delete;
};

/// Many points on few pixels, so that the order of additions shows.
Inputs crowded_inputs(at::ScalarType dtype) {
  TestShape shape;
  shape.levels = {{2, 3}, {1, 2}};
  shape.channels = 40;
  shape.queries = 30;
  shape.dtype = dtype;
  return test_inputs(shape);
}

at::Tensor grad_of(const Inputs& inputs) {
  return random_tensor(ms_deform_attn::output_shape(inputs), inputs.value.scalar_type(), 11, -1, 1);
}

bool same_bits_in_every_schedule(const Inputs& inputs) {
  const at::Tensor grad = grad_of(inputs);
  const Gradients first = backward_cuda_emulated(inputs, grad);
  bool same = true;
  for (const std::uint64_t seed : {1, 2, 3}) {
    emulation::set_schedule(seed);
    const Gradients again = backward_cuda_emulated(inputs, grad);
    emulation::set_schedule(0);
    EXPECT_TRUE(at::equal(first.sampling_loc, again.sampling_loc));
    EXPECT_TRUE(at::equal(first.attn_weight, again.attn_weight));
    same = same && at::equal(first.value, again.value);
  }
  return same;
}

TEST(CudaKernels, AreDeterministicOnRequest) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const Inputs inputs = crowded_inputs(dtype);
    EXPECT_FALSE(same_bits_in_every_schedule(inputs));
    const Gradients usual = backward_cuda_emulated(inputs, grad_of(inputs));
    const Determinism determinism;
    EXPECT_TRUE(same_bits_in_every_schedule(inputs));
    const Gradients deterministic = backward_cuda_emulated(inputs, grad_of(inputs));
    EXPECT_TRUE(at::allclose(usual.value, deterministic.value, 1e-4, 1e-4));
  }
  const Determinism determinism;
  EXPECT_TRUE(same_bits_in_every_schedule(crowded_inputs(at::kHalf)));
}

TEST(CudaKernels, TakeArraysThatDoNotLieAt16Bytes) {
  for (const std::int64_t channels : {8, 32, 64}) {
    TestShape shape;
    shape.channels = channels;
    shape.dtype = at::kFloat;
    Inputs inputs = test_inputs(shape);
    const at::Tensor wanted = forward_cuda_emulated(inputs);
    const Gradients wanted_gradients = backward_cuda_emulated(inputs, grad_of(inputs));
    const at::Tensor padded = at::zeros({inputs.value.numel() + 1}, inputs.value.options());
    padded.slice(0, 1).copy_(inputs.value.flatten());
    inputs.value = padded.slice(0, 1).view(inputs.value.sizes());
    EXPECT_TRUE(at::allclose(forward_cuda_emulated(inputs), wanted, 1e-5, 1e-6));
    const Gradients gradients = backward_cuda_emulated(inputs, grad_of(inputs));
    EXPECT_TRUE(at::allclose(gradients.value, wanted_gradients.value, 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(gradients.sampling_loc, wanted_gradients.sampling_loc, 1e-4, 1e-4));
  }
}

/// 8 and 16 channels in 16 bytes, and more channels than lanes.
TEST(CudaKernels, AgreeForEveryWidth) {
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16}) {
    for (const std::int64_t channels : {1, 2, 4, 8, 33, 64, 136, 264}) {
      TestShape shape;
      shape.channels = channels;
      shape.dtype = dtype;
      const Inputs inputs = test_inputs(shape, static_cast<std::uint64_t>(channels));
      const double tolerance = dtype == at::kHalf ? 1e-2 : dtype == at::kBFloat16 ? 1e-1 : 1e-4;
      EXPECT_TRUE(at::allclose(forward_cuda_emulated(inputs), forward_cpu(inputs), tolerance, tolerance))
          << dtype << ", " << channels << " channels";
      const Gradients found = backward_cuda_emulated(inputs, grad_of(inputs));
      const Gradients wanted = backward_cpu(inputs, grad_of(inputs));
      EXPECT_TRUE(at::allclose(found.value, wanted.value, tolerance, tolerance)) << dtype << ", " << channels;
      EXPECT_TRUE(at::allclose(found.sampling_loc, wanted.sampling_loc, tolerance, 10 * tolerance))
          << dtype << ", " << channels;
    }
  }
}

/// On a device, if there is one.
class CudaDevices : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!why_no_cuda_device().empty()) GTEST_SKIP() << why_no_cuda_device();
    load_library("libdeformdiff_cuda.so");
  }

  static Inputs on(const c10::Device& device, Inputs inputs) {
    for (at::Tensor Inputs::*tensor : {&Inputs::value, &Inputs::spatial_shapes, &Inputs::level_start_index,
                                       &Inputs::sampling_loc, &Inputs::attn_weight}) {
      inputs.*tensor = (inputs.*tensor).to(device);
    }
    return inputs;
  }
};

/// On every device, another one being current, and on a stream that is not the default one: the inputs are
/// there only once that stream has come so far.
TEST_F(CudaDevices, RunOnTheStreamOfTheirDevice) {
  const c10::impl::VirtualGuardImpl cuda(at::kCUDA);
  for (c10::DeviceIndex i = 0; i < cuda.deviceCount(); ++i) {
    const c10::Device device(at::kCUDA, i);
    const Inputs host = crowded_inputs(at::kFloat);
    const Inputs ready = on(device, host);
    const at::Tensor grad = grad_of(host).to(device);
    Inputs late = ready;
    late.value = at::zeros_like(ready.value);
    at::Tensor busy = at::ones({2048, 2048}, late.value.options());
    for (c10::DeviceIndex other = 0; other < cuda.deviceCount(); ++other) {
      cuda.synchronizeDevice(other);
    }
    const c10::Stream stream = cuda.getNewStream(device);
    at::Tensor output;
    Gradients gradients;
    {
      const c10::StreamGuard guard(stream);
      for (int step = 0; step < 50; ++step) busy = at::mm(busy, busy).clamp(-1, 1);
      late.value.copy_(ready.value);
      cuda.setDevice(c10::Device(at::kCUDA, 0));
      output = forward_operator(late);
      gradients = backward_operator(late, grad);
      late.value.zero_();
    }
    stream.synchronize();
    EXPECT_EQ(output.device(), device);
    EXPECT_TRUE(at::allclose(output.cpu(), forward_cpu(host), 1e-4, 1e-5)) << device;
    const Gradients wanted = backward_cpu(host, grad.cpu());
    EXPECT_TRUE(at::allclose(gradients.value.cpu(), wanted.value, 1e-3, 1e-4)) << device;
    EXPECT_TRUE(at::allclose(gradients.sampling_loc.cpu(), wanted.sampling_loc, 1e-3, 1e-3)) << device;
  }
}

TEST_F(CudaDevices, AreDeterministicOnRequest) {
  const Inputs inputs = on(c10::Device(at::kCUDA, 0), crowded_inputs(at::kFloat));
  const at::Tensor grad = grad_of(crowded_inputs(at::kFloat)).to(inputs.value.device());
  const Determinism determinism;
  const Gradients first = backward_operator(inputs, grad);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(at::equal(first.value, backward_operator(inputs, grad).value));
}

}  // namespace
}  // namespace deformdiff::worker
