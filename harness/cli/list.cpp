// What there is: blocks, stages, subjects, addresses, tiers, triggers, rules, faults.
#include "blocks/block_list.h"
#include "catalog/addresses.h"
#include "catalog/catalog.h"
#include "check/cause.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/rules.h"
#include "core/declaration.h"
#include "core/error.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

/// Names; of a deep block, shapes too and what may be left out.
std::vector<std::string> inputs_of(const BlockEntry& entry) {
  const BlockDefinition& block = *find_block_definition(entry.block->name());
  if (!is_deep(entry)) return block.inputs();
  std::vector<std::string> inputs;
  for (const TensorSpec& spec : block.tensors(block.default_attributes())) {
    if (spec.name.starts_with("param.")) continue;
    inputs.push_back(
        fmt::format("{} [{}]{}", spec.name, spec.axes, spec.optional ? " (may be left out)" : ""));
  }
  return inputs;
}

std::string list_blocks() {
  std::string text;
  for (const BlockEntry& entry : blocks()) {
    const Block& block = *entry.block;
    std::vector<std::string> attributes;
    for (const auto& [name, value] : block.default_attributes())
      attributes.push_back(fmt::format("{}={:g}", name, value));
    text += fmt::format("{}: {}\n  inputs:     {}\n  attributes: {}\n  outputs:    {}\n", block.name(),
                        find_block_definition(block.name())->purpose(),
                        fmt::join(inputs_of(entry), "\n              "), fmt::join(attributes, ", "),
                        fmt::join(block.output_names(), ", "));
  }
  return text +
         "\nNames and shapes are Hugging Face's; with --layout, those of MMDetection and Facebook are read "
         "too. The same letter\n"
         "is the same size within a block: B batch, Q queries, M heads, D channels a head, L levels, S "
         "pixels of all levels.\n"
         "Attributes are shown with their defaults; --config sets them. Parameters are param.NAME, under the "
         "framework's own\n"
         "names. opaque, for check alone, is a model that is none of these.\n";
}

std::string list_stages() {
  std::string text;
  for (const BlockEntry& entry : blocks()) {
    if (!is_deep(entry)) continue;
    text += fmt::format("{}:\n  {}\n", entry.block->name(), fmt::join(stage_families(entry), "\n  "));
  }
  return text + "\nA * is the number of a layer, level or call: layers.0.fc1, class_predictor#2.\n";
}

std::string list_subjects() {
  std::string text;
  for (const SubjectInfo& info : builtin_subjects().subjects) {
    text += fmt::format("{:<28} {}{}\n", info.name, info.device,
                        info.not_run.empty() ? "" : fmt::format("; not run: {}", info.not_run));
  }
  return text;
}

std::string list_faults() {
  std::string text;
  for (const SubjectInfo& info : faults_and_controls().subjects) {
    text += fmt::format("{:<36} {}{}\n", info.name,
                        info.faulty.empty() ? "correct, though different" : info.faulty,
                        info.expected.empty() ? "" : fmt::format(" ({})", info.expected));
  }
  return text + fmt::format("{:<36} one element of a stage is wrong by the relative size, as in\n{:<36} {}\n",
                            "fault/wrong_stage:STAGE:SIZE", "", "fault/wrong_stage:layers.0.fc1:1e-3");
}

std::string list_addresses() {
  std::string text =
      "torchop:FILE.so#ns::ms_deform_attn   a shared library that registers "
      "ns::ms_deform_attn_forward(Tensor value,\n"
      "                                     Tensor spatial_shapes, Tensor level_start_index, Tensor "
      "sampling_loc,\n"
      "                                     Tensor attn_weight, int im2col_step) -> Tensor\n"
      "torchscript:FILE.pt, worker:COMMAND#subject, python:ADAPTER.py   not available yet\n\n"
      "An address may end in ?key=value&..., what the implementation promises. The first value is the "
      "default.\n\n";
  for (const DeclarationKey& key : declaration_keys()) {
    text += fmt::format("  {:<31} {}\n  {:<31}   {}\n", key.key, key.values, "", key.meaning);
  }
  return text;
}

std::string list_tiers() {
  std::string text;
  for (const BlockEntry& entry : blocks()) {
    for (const Tier& tier : entry.generator->tiers()) {
      const std::string share = tier.share > 0 ? fmt::format("{:>3} %", tier.share) : "named";
      text += fmt::format("{:<14} {:>5}  {}\n", tier.name, share, tier.description);
    }
  }
  return text;
}

std::string list_triggers() {
  std::string text;
  for (const BlockEntry& entry : blocks()) {
    for (const TriggerClass& trigger : entry.generator->triggers()) {
      text += fmt::format("{:<28} {}{}\n", trigger.name, trigger.description,
                          trigger.tier.empty() ? "" : fmt::format(" (tier {})", trigger.tier));
    }
  }
  return text;
}

std::string list_rules() {
  std::string text;
  for (std::size_t i = 0; i < kRules.size(); ++i) text += fmt::format("{}  {}\n", i + 1, kRules[i]);
  text += "\nVerdicts, worst first:\n";
  for (const Verdict verdict : all_verdicts()) {
    const int rule = rule_of(verdict);
    text += fmt::format("  {:<20} {}\n", name_of(verdict), rule > 0 ? fmt::format("rule {}", rule) : "");
  }
  text += "\nCauses:\n";
  for (const Cause& cause : causes()) text += fmt::format("  {}\n", cause.name);
  return text;
}

struct Topic {
  const char* name;
  std::string (*text)();
};

constexpr Topic kTopics[] = {{"blocks", list_blocks},     {"stages", list_stages},
                             {"subjects", list_subjects}, {"addresses", list_addresses},
                             {"tiers", list_tiers},       {"triggers", list_triggers},
                             {"rules", list_rules},       {"faults", list_faults}};

}  // namespace

int run_list(const Options& options) {
  std::string known;
  for (const Topic& topic : kTopics) {
    if (options.topic == topic.name) {
      say(options, topic.text());
      return 0;
    }
    known += fmt::format(" {}", topic.name);
  }
  if (!options.topic.empty()) throw InputError(fmt::format("list {}: there are:{}", options.topic, known));
  for (const Topic& topic : kTopics) say(options, fmt::format("{}:\n\n{}\n", topic.name, topic.text()));
  return 0;
}

}  // namespace deformdiff::cli
