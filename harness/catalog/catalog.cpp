#include "catalog/catalog.h"

#include "blocks/ms_deform_attn.h"
#include "blocks/operator_places.h"
#include "blocks/operator_relations.h"
#include "core/error.h"
#include "engine/signature.h"
#include "generators/common/sixteen_bits.h"
#include "generators/ms_deform_attn/ablations.h"
#include "generators/ms_deform_attn/generator.h"
#include "generators/ms_deform_attn/shrinks.h"
#include "generators/mutate/mutate.h"
#include "generators/staged/ablations.h"
#include "generators/staged/generator.h"
#include "generators/staged/shrinks.h"
#include "oracles/operations/operations.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

// Blocks that files recorded elsewhere already name.
constexpr std::array<std::string_view, 1> kLater{"mask_head"};

Mutate mutations_of(const BlockDefinition& block) {
  return [&block](const Case& c, std::uint64_t key, bool keeps_sizes) {
    return mutated(block, c, key, keeps_sizes);
  };
}

BlockEntry operator_entry(const BlockDefinition& block, const Generator& generator, Places places,
                          const Relations& relations) {
  return {&block,
          operation_oracle,
          &generator,
          ms_deform_attn::shrink_stream,
          places,
          ms_deform_attn::ablations(block),
          mutations_of(block),
          &relations};
}

/// Of half `value`, the form of the operator that autocast calls.
MixedTypes mixed_operands() {
  return {[](const Case&) -> std::set<std::string> {
            return {"sampling_loc", "attn_weight"};
          },
          "value in 16 bits beside float32 locations and weights"};
}

std::set<std::string> parameters_of_norms(const BlockDefinition& block, const Case& c) {
  std::set<std::string> names;
  for (const Stage& stage : block.stages(c)) {
    if (stage.operation != "layer_norm" && stage.operation != "group_norm") continue;
    for (const StageInput& input : stage.inputs) {
      // What is normalised may be a parameter too: learnt queries are.
      if (input.name != "x" && is_parameter(input.value)) names.insert(input.value);
    }
  }
  return names;
}

/// Of models that are converted but for their norms.
MixedTypes mixed_norms(const BlockDefinition& block) {
  return {[&block](const Case& c) { return parameters_of_norms(block, c); },
          "parameters of norms in float32 beside others of 16 bits"};
}

/// What the entry says of cases of float32, of 16-bit types too, which some inputs may leave to the others.
void serve_sixteen_bits(BlockEntry& entry, MixedTypes mixed) {
  // They live as long as the list.
  static std::vector<std::unique_ptr<const Generator>> generators;
  entry.generator = generators.emplace_back(with_sixteen_bits(*entry.generator, std::move(mixed))).get();
  entry.shrinks = with_sixteen_bits(std::move(entry.shrinks));
  entry.ablations = with_sixteen_bits(std::move(entry.ablations));
  entry.mutate = with_sixteen_bits(std::move(entry.mutate));
}

}  // namespace

const std::vector<BlockEntry>& blocks() {
  static const std::vector<BlockEntry> entries = [] {
    std::vector<BlockEntry> list{
        operator_entry(ms_deform_attn::block(), ms_deform_attn::generator(), ms_deform_attn::places,
                       ms_deform_attn::relations()),
        operator_entry(ms_deform_attn::backward_block(), ms_deform_attn::backward_generator(),
                       ms_deform_attn::backward_places, ms_deform_attn::backward_relations())};
    for (BlockEntry& entry : list) serve_sixteen_bits(entry, mixed_operands());
    for (const DeepGenerator& deep : deep_generators()) {
      list.push_back({&deep.block(), operation_oracle, &deep, deep_shrink_stream(deep.block()), axis_places,
                      deep_ablations(deep.block()), mutations_of(deep.block())});
      serve_sixteen_bits(list.back(), mixed_norms(deep.block()));
    }
    return list;
  }();
  return entries;
}

const BlockEntry& find_block(const std::string& name) {
  std::string known;
  for (const BlockEntry& entry : blocks()) {
    if (entry.block->name() == name) return entry;
    known += fmt::format(" {}", entry.block->name());
  }
  if (std::ranges::find(kLater, name) != kLater.end()) not_available_yet(fmt::format("block {}", name));
  throw InputError(fmt::format("no block '{}'; there are:{}", name, known));
}

std::vector<std::string> stage_families(const BlockEntry& entry) {
  std::vector<std::string> families;
  // Some inputs may be left out, and a few cases have them all.
  constexpr std::uint64_t kCases = 8;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    for (const Stage& stage : entry.block->stages(entry.generator->generate(0, {"typical"}, i))) {
      std::string family = stage_family(stage.name);
      if (std::ranges::find(families, family) == families.end()) families.push_back(std::move(family));
    }
  }
  return families;
}

std::size_t stage_count(const BlockEntry& entry) {
  return entry.block->stages(entry.generator->generate(0, {"typical"}, 0)).size();
}

bool is_deep(const BlockEntry& entry) {
  const std::vector<Stage> stages = entry.block->stages(entry.generator->generate(0, {"typical"}, 0));
  const auto is_stage = [&](const StageInput& input) {
    return std::ranges::find(stages, input.value, &Stage::name) != stages.end();
  };
  return std::ranges::any_of(stages,
                             [&](const Stage& stage) { return std::ranges::any_of(stage.inputs, is_stage); });
}

}  // namespace deformdiff
