// Models whose values are changed on their way from stage to stage.
#pragma once

#include "subjects/function_subject.h"

#include <functional>
#include <string>
#include <string_view>

namespace deformdiff::worker {

/// What the model goes on with instead of the value of a stage; the value itself where it is left alone.
using Tamper = std::function<at::Tensor(const std::string& stage, const at::Tensor& value)>;

/// The call's model over `op`, each of its values replaced by what a Tamper made for this call returns. The
/// call's own taps, if any, see the replaced values.
BlockFunction tampered(MsDeformAttnFunction op, std::function<Tamper(const Call&)> make_tamper);

/// Whether a stage's name, without its "#k", is `part` or ends in ".part".
bool is_stage(std::string_view stage, std::string_view part);

/// A tensor with the same elements that no tracer knows: it takes it for a constant.
at::Tensor baked(const at::Tensor& tensor);

}  // namespace deformdiff::worker
