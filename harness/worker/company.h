// Calls of a subject from another thread, beside those of this one.
#pragma once

#include "core/block.h"
#include "subjects/subject.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace deformdiff::worker {

/// While it lives, another thread calls the subject again and again on tensors of its own: the case's, but
/// that the first of numbers holds them in other places. What these calls return or throw is not looked at.
class Company {
 public:
  /// Returns when the first call is about to begin. `subject` and `c` must outlive this.
  Company(Subject& subject, const Case& c);
  ~Company();
  Company(const Company&) = delete;
  Company& operator=(const Company&) = delete;

 private:
  void call();

  Subject& subject_;
  const Case& case_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> inputs_;
  std::atomic<bool> begun_ = false;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace deformdiff::worker
