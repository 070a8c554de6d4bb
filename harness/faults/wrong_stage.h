// One value of one stage is wrong, by a size that one can ask for: what a judge of stages must find.
#pragma once

#include "subjects/subject.h"

#include <memory>
#include <string>
#include <string_view>

namespace deformdiff::worker {

/// Multiplies the largest finite element of a stage by 1 + `size`, and flips the first element of a mask. A
/// stage of zeros gets an element of that size. Shows everything to `next`, if any.
class WrongStage : public Taps {
 public:
  WrongStage(std::string stage, double size, Taps* next);

  at::Tensor show(const std::string& name, const at::Tensor& value) override;

  /// Whether the stage has been shown.
  bool met() const { return met_; }

 private:
  std::string stage_;
  double size_;
  Taps* next_;
  bool met_ = false;
};

/// A fault for a name "fault/wrong_stage:STAGE:SIZE", as in "fault/wrong_stage:layers.0.fc1:1e-3": our own
/// operator in models with that stage wrong, tapped or not. A block that has no such stage is unsupported.
/// Null for any other name, and where SIZE is no finite number.
std::unique_ptr<Subject> wrong_stage_fault(std::string_view name);

}  // namespace deformdiff::worker
