// Recorded tensors, judged like any implementation.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session_options.h"
#include "recorded/judge_recording.h"

namespace deformdiff::cli {

int run_judge(const Options& options) {
  RunReport report = judge_recording({options.files.front(),
                                      options.blocks.empty() ? "" : options.blocks.front(),
                                      {options.layout, options.config, options.mapping},
                                      options.declared,
                                      options.threads,
                                      findings_folder(options)});
  return finish(options, report);
}

}  // namespace deformdiff::cli
