// The names of Hugging Face's transformers: ours, but for the order of an attention layer's arguments.
#include "blocks/layouts/tables.h"

#include <set>

namespace deformdiff {
namespace {

/// A layer's or a level's number as a letter.
std::string with_letter(std::string name) {
  for (const std::string before : {"layers.", "input_projections."}) {
    const std::size_t at = name.find(before);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + before.size(), end = name.find('.', begin);
    return name.replace(begin, end - begin, "{i}");
  }
  return name;
}

}  // namespace

LayoutTables huggingface_tables(const BlockDefinition& block) {
  LayoutTables tables;
  std::set<std::string> seen;
  for (const TensorSpec& spec : block.tensors(block.default_attributes())) {
    if (!spec.is_parameter()) continue;
    const std::string name = with_letter(spec.name.substr(kParameterPrefix.size()));
    if (seen.insert(name).second) tables.parameters.emplace_back(name, name);
  }
  if (block.name() == "attention_layer") tables.input_order = attention_arguments();
  return tables;
}

}  // namespace deformdiff
