#include "core/error.h"

#include <fmt/format.h>

namespace deformdiff {

void fail_check(const char* condition, const char* file, int line) {
  throw InternalError(fmt::format("{}:{}: broken invariant: {}", file, line, condition));
}

}  // namespace deformdiff
