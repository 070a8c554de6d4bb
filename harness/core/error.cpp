#include "core/error.h"

#include <fmt/format.h>

namespace deformdiff {

void not_available_yet(const std::string& what) {
  throw InputError(fmt::format("{}: not available yet", what));
}

void fail_check(const char* condition, const char* file, int line) {
  throw InternalError(fmt::format("{}:{}: broken invariant: {}", file, line, condition));
}

}  // namespace deformdiff
