// Implementations that need a CUDA device. They are always listed; without a device they say why they
// cannot run.
#pragma once

#include "subjects/subject.h"

#include <memory>

namespace deformdiff::worker {

/// The registered operator on the device; its library is loaded by the first run.
std::unique_ptr<Subject> cuda_subject();

/// The pure PyTorch path on the device.
std::unique_ptr<Subject> composite_cuda_subject();

}  // namespace deformdiff::worker
