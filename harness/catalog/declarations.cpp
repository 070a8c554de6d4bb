#include "catalog/declarations.h"

#include "blocks/block_list.h"
#include "catalog/catalog.h"
#include "core/error.h"
#include "engine/related_runner.h"

#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {

Declaration checked_declaration(std::string_view text) {
  Declaration declaration = parse_declaration(text);
  SubjectInfo declared;
  apply(declaration, declared);
  std::set<std::string> outputs;
  for (const BlockDefinition* block : block_definitions()) {
    const std::vector<std::string> names = block->output_names();
    outputs.insert(names.begin(), names.end());
  }
  for (const auto& [name, promise] : declared.contract.deterministic_outputs) {
    if (outputs.contains(name) || outputs.contains("grad_" + name)) continue;
    throw InputError(fmt::format("declaration 'deterministic': no block has an output {}; there are {}", name,
                                 fmt::join(outputs, " ")));
  }
  return declaration;
}

void declare(const Declaration& declaration, SubjectSpec& spec) {
  if (declaration.settings.empty()) return;
  spec.declare = [declaration](SubjectInfo& info) { apply(declaration, info); };
  SubjectInfo declared;
  apply(declaration, declared);
  if (declared.bound != Bound::kNone) return;
  spec.make_runner = [declare = spec.declare](const WorkerCommand& command, const RunLimits& limits) {
    return related_runner(worker_runner(command, limits), declare, find_block);
  };
}

}  // namespace deformdiff
