// Is this exported model right?
#include "check/check.h"

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session_options.h"

namespace deformdiff::cli {

int run_check(const Options& options) {
  CheckRequest request;
  request.model = options.files.front();
  request.block = options.blocks.front();
  request.options = {options.layout, options.config, {}};
  request.parameters = options.parameters;
  request.inputs = options.inputs;
  request.image = options.image_size;
  request.input_order = options.input_order;
  request.output_order = options.output_order;
  request.declared = options.declared;
  request.seed = options.seed;
  request.threads = options.threads;
  request.limits = run_limits_of(options);
  request.memory_limit = kMemoryLimit;
  request.findings = findings_folder(options);
  RunReport report = check(request);
  return finish(options, report);
}

}  // namespace deformdiff::cli
