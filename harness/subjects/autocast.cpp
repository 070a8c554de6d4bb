#include "subjects/autocast.h"

#include <utility>

#include <ATen/autocast_mode.h>

namespace deformdiff::worker {
namespace {

/// On this thread, as torch.autocast("cpu", torch.bfloat16) does.
class Autocast {
 public:
  Autocast() {
    at::autocast::set_autocast_enabled(at::kCPU, true);
    at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCPU, was_enabled_);
    at::autocast::set_autocast_dtype(at::kCPU, dtype_before_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool was_enabled_ = at::autocast::is_autocast_enabled(at::kCPU);
  at::ScalarType dtype_before_ = at::autocast::get_autocast_dtype(at::kCPU);
};

}  // namespace

BlockFunction under_autocast(BlockFunction function) {
  return [function = std::move(function)](const Call& call) {
    const Autocast autocast;
    return function(call);
  };
}

}  // namespace deformdiff::worker
