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
#include "reports/layout.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff::cli {
namespace {

std::vector<std::string> inputs_of(const BlockDefinition& block) {
  std::vector<std::string> inputs;
  for (const TensorSpec& spec : block.tensors(block.default_attributes())) {
    if (spec.is_parameter()) continue;
    inputs.push_back(
        fmt::format("{} [{}]{}", spec.name, spec.axes, spec.optional ? " (may be left out)" : ""));
  }
  return inputs;
}

std::string list_blocks() {
  std::string text;
  for (const BlockEntry& entry : blocks()) {
    const BlockDefinition& block = *find_block_definition(entry.block->name());
    std::vector<std::string> attributes;
    for (const auto& [name, value] : block.default_attributes())
      attributes.push_back(fmt::format("{}={:g}", name, value));
    constexpr std::size_t kIndent = 14;
    text += wrapped(block.name() + ": ", block.purpose(), 2);
    text += fmt::format("  inputs:     {}\n", fmt::join(inputs_of(block), "\n              "));
    text += wrapped("  attributes: ", fmt::format("{}", fmt::join(attributes, ", ")), kIndent);
    text += wrapped("  outputs:    ", fmt::format("{}", fmt::join(block.output_names(), ", ")), kIndent);
  }
  return text + "\n" +
         wrapped(
             "",
             "Names and shapes are Hugging Face's; with --layout, those of MMDetection and Facebook are read "
             "too. The same letter is the same size within a block: B or N batch, Q queries, M heads, D "
             "channels a head, L levels, P points, S pixels of all levels. Attributes are shown with their "
             "defaults; --config sets them. Parameters are param.NAME, under the framework's own names. "
             "opaque, for check alone, is a model that is none of these.",
             0);
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
    text += wrapped(fmt::format("{:<36} ", info.name),
                    fmt::format("{}{}", info.faulty.empty() ? "correct, though different" : info.faulty,
                                info.expected.empty() ? "" : fmt::format(" ({})", info.expected)),
                    37);
  }
  return text + wrapped(fmt::format("{:<36} ", "fault/wrong_stage:STAGE:SIZE"),
                        "one element of a stage is wrong by the relative size, as in "
                        "fault/wrong_stage:layers.0.fc1:1e-3",
                        37);
}

std::string list_addresses() {
  std::string text =
      "torchop:FILE.so#ns::ms_deform_attn\n"
      "  a shared library that registers with PyTorch's dispatcher\n"
      "  ns::ms_deform_attn_forward(Tensor value, Tensor spatial_shapes,\n"
      "      Tensor level_start_index, Tensor sampling_loc, Tensor attn_weight,\n"
      "      int im2col_step) -> Tensor\n"
      "  for block ms_deform_attn, for block ms_deform_attn_backward\n"
      "  ns::ms_deform_attn_backward(Tensor value, Tensor spatial_shapes,\n"
      "      Tensor level_start_index, Tensor sampling_loc, Tensor attn_weight,\n"
      "      Tensor grad_output, int im2col_step) -> (Tensor, Tensor, Tensor)\n"
      "  or both of them\n"
      "torchscript:FILE.pt?block=BLOCK&layout=LAYOUT&attributes=NAME:NUMBER,...\n"
      "  an exported module (.pt2 and .onnx too) with its own parameters, as check saves\n"
      "  it with what it finds, for replay, explain and shrink; also params=FILE,\n"
      "  input_order=A,B and output_order=A,B, as check is told them, and mode=executor,\n"
      "  of TorchScript also frozen and inference, for what the runtime makes of it\n"
      "recorded:FILE.safetensors#TAG?block=BLOCK&layout=LAYOUT&map=OURS:THEIRS,...\n"
      "  a recorded run, as judge saves it with what it finds, for replay and explain\n"
      "python:FILE.py#NAME, python:package.module#NAME\n"
      "  what a Python function or module computes; #NAME may be left out where it is\n"
      "  plain (help(deformdiff) in Python); python=PATH is the interpreter of another\n"
      "  environment\n"
      "worker:COMMAND#NAME\n"
      "  implementation NAME of a worker in any language (harness/core/WIRE.md), which\n"
      "  COMMAND starts: words, in quotes where they hold spaces\n\n"
      "An address, and the name of a built-in implementation, may end in\n"
      "?key=value&..., what the implementation promises. The first value is the\n"
      "default.\n\n";
  for (const DeclarationKey& key : declaration_keys()) {
    text += wrapped(fmt::format("  {:<31} ", key.key), key.values, 34);
    text += wrapped(fmt::format("  {:<31} ", ""), key.meaning, 34);
  }
  return text;
}

/// What is to be said of each block, once for all of which the same is to be said.
std::string by_block(const std::function<std::string(const BlockEntry&)>& text_of) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const BlockEntry& entry : blocks()) {
    std::string text = text_of(entry);
    const auto same = std::ranges::find(texts, text, &std::pair<std::string, std::string>::second);
    if (same == texts.end()) {
      texts.emplace_back(entry.block->name(), std::move(text));
    } else {
      same->first += ", " + entry.block->name();
    }
  }
  std::string all;
  for (const auto& [names, text] : texts) {
    if (!all.empty()) all += '\n';
    all += wrapped("", fmt::format("{}:", names), 0);
    all += text;
  }
  return all;
}

std::string list_tiers() {
  return by_block([](const BlockEntry& entry) {
    std::string text;
    for (const Tier& tier : entry.generator->tiers()) {
      const std::string share = tier.share > 0 ? fmt::format("{:>3} %", tier.share) : "named";
      text += wrapped(fmt::format("  {:<14} {:>5}  ", tier.name, share), tier.description, 24);
    }
    return text;
  });
}

std::string list_triggers() {
  return by_block([](const BlockEntry& entry) {
    std::string text;
    for (const TriggerClass& trigger : entry.generator->triggers()) {
      const std::string of_tier = trigger.tier.empty() ? "" : fmt::format(" (tier {})", trigger.tier);
      text += wrapped(fmt::format("  {:<28} ", trigger.name), trigger.description + of_tier, 31);
    }
    return text;
  });
}

std::string list_rules() {
  std::string text;
  for (std::size_t i = 0; i < kRules.size(); ++i) text += fmt::format("{}  {}\n", i + 1, kRules[i]);
  text += "\nVerdicts, worst first:\n";
  for (const Verdict verdict : all_verdicts()) {
    const int rule = rule_of(verdict);
    text += fmt::format("  {:<20} {}\n", name_of(verdict), rule > 0 ? fmt::format("rule {}", rule) : "");
  }
  text += "\nRelations of rule 8, by block:\n";
  text += by_block([](const BlockEntry& entry) {
    std::string of_block;
    if (entry.relations == nullptr) return of_block;
    for (const RelationKind& kind : entry.relations->kinds()) {
      of_block += wrapped(fmt::format("  {:<22} ", kind.name), kind.description, 25);
    }
    return of_block;
  });
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
