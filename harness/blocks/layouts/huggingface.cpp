// The names of Hugging Face's transformers: ours, but for the order of an attention layer's arguments.
#include "blocks/layouts/tables.h"

namespace deformdiff {

LayoutTables huggingface_tables(const BlockDefinition& block) {
  LayoutTables tables = own_names(block);
  if (block.name() == "attention_layer") tables.input_order = attention_arguments();
  return tables;
}

}  // namespace deformdiff
