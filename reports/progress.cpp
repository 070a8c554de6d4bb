#include "reports/progress.h"

#include <unistd.h>

#include <fmt/format.h>

namespace deformdiff {
namespace {

constexpr double kSecondsBetweenLines = 0.1;
constexpr std::size_t kWidth = 79;

}  // namespace

ProgressLine::ProgressLine(std::FILE* stream, bool wanted)
    : stream_(stream), active_(wanted && ::isatty(::fileno(stream)) != 0) {}

ProgressLine::~ProgressLine() {
  if (active_) std::fprintf(stream_, "\r%*s\r", static_cast<int>(kWidth), "");
}

void ProgressLine::on_progress(const Progress& progress) {
  if (!active_ || (shown_at_ >= 0 && progress.seconds < shown_at_ + kSecondsBetweenLines)) return;
  shown_at_ = progress.seconds;
  std::fprintf(stream_, "\r%-*s", static_cast<int>(kWidth), progress_text(progress, kWidth).c_str());
  std::fflush(stream_);
}

std::string progress_text(const Progress& progress, std::size_t width) {
  const std::string failures = progress.findings == 0   ? ""
                               : progress.findings == 1 ? ", 1 failure"
                                                        : fmt::format(", {} failures", progress.findings);
  return fmt::format("{}/{} cases, {:.0f} s{}: {}", progress.done, progress.total, progress.seconds, failures,
                     progress.activity)
      .substr(0, width);
}

}  // namespace deformdiff
