// Generated cases as files of tensors.
#include "catalog/catalog.h"
#include "cli/commands.h"
#include "cli/fuzz_plan.h"
#include "cli/output.h"
#include "core/error.h"
#include "recorded/recording_of_case.h"

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

/// In the order of their indices where they are listed by name.
std::string file_name(const std::string& block, const Case& c) {
  return fmt::format("{}-{}-{:06}.safetensors", block, c.provenance.seed, c.provenance.index);
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw InputError(fmt::format("-o {}: cannot create: {}", folder.string(), error.message()));
}

}  // namespace

int run_generate(const Options& options) {
  const BlockEntry& entry = find_block(options.blocks.front());
  const std::string block = entry.block->name();
  check_stream(options, entry);
  make_folder(options.output);
  for (std::int64_t i = 0; i < options.cases.value(); ++i) {
    Case c =
        entry.generator->generate({options.seed, options.tiers, options.only}, static_cast<std::uint64_t>(i));
    const Provenance provenance = c.provenance;
    if (options.dtype) c = entry.block->converted(std::move(c), *options.dtype);
    c.provenance = provenance;
    write_safetensors(options.output / file_name(block, c), recording_of(c));
  }
  say(options, fmt::format("{0}: {1} cases of {2}. Add what your implementation makes of them to each file "
                           "(out.NAME), then: deformdiff judge {0}\n",
                           options.output.string(), *options.cases, block));
  return 0;
}

}  // namespace deformdiff::cli
