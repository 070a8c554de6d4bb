// What there is: blocks, subjects, addresses, tiers, triggers, rules, faults.
#include "cli/addresses.h"
#include "cli/catalog.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/rules.h"
#include "core/declaration.h"
#include "core/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

std::string list_blocks() {
  std::string text;
  for (const BlockEntry& entry : blocks()) {
    text += fmt::format("{}\n  inputs: {}\n  outputs: {}\n", entry.block->name(),
                        fmt::join(entry.block->inputs(), ", "), fmt::join(entry.block->output_names(), ", "));
  }
  return text;
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
      text += fmt::format("{:<14} {:>3} %  {}\n", tier.name, tier.share, tier.description);
    }
  }
  return text;
}

std::string list_triggers() {
  std::string text;
  for (const BlockEntry& entry : blocks()) {
    for (const TriggerClass& trigger : entry.generator->triggers()) {
      text += fmt::format("{:<28} {}\n", trigger.name, trigger.description);
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
  return text + fmt::format("\nCauses:\n  {}\n", fmt::join(kCauses, "\n  "));
}

struct Topic {
  const char* name;
  std::string (*text)();
};

constexpr Topic kTopics[] = {{"blocks", list_blocks},       {"subjects", list_subjects},
                             {"addresses", list_addresses}, {"tiers", list_tiers},
                             {"triggers", list_triggers},   {"rules", list_rules},
                             {"faults", list_faults}};

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
