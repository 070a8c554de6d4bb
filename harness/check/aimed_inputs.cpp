#include "check/aimed_inputs.h"

#include "blocks/block_definition.h"
#include "engine/stage_values.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {
namespace {

Tensor made_of(DType dtype, const Shape& shape, const Rows& rows) {
  std::vector<double> elements(static_cast<std::size_t>(element_count(shape)));
  const std::int64_t length = std::max<std::int64_t>(1, shape.empty() ? 1 : shape.back());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    elements[i] = rows(at / length, at % length);
  }
  if (dtype == DType::kBool) {
    std::vector<std::uint8_t> bits(elements.begin(), elements.end());
    return Tensor::of<std::uint8_t>(dtype, shape, std::span<const std::uint8_t>(bits));
  }
  return convert(Tensor::of<double>(DType::kFloat64, shape, std::span<const double>(elements)), dtype);
}

/// Makes what is added in a norm's sum independent of the input that it is added to; false if it stays so.
bool cut_loose(Case& c) {
  bool cut = false;
  if (c.find_input("query_position_embeddings") != nullptr) {
    // [K, B, C]: with one key again and again, an attention gives that key's value whatever the query.
    const Tensor keys = c.input("encoder_hidden_states");
    const std::int64_t first_key = keys.dim(1) * keys.dim(2), channels = keys.dim(2);
    cut = set_rows(c, "encoder_hidden_states", [&](std::int64_t row, std::int64_t column) {
      return keys.element((row * channels + column) % first_key);
    });
  }
  // Samples outside every map are zero, and so are those of padding.
  constexpr double kFarOutside = 1000;
  cut |= set_rows(c, "reference_points", [](auto, auto) { return kFarOutside; });
  const Tensor* const mask = c.find_input("attention_mask");
  if (mask == nullptr || mask->shape().size() != 2) return cut;
  return set_rows(c, "attention_mask", [](auto, auto) { return 1; });
}

}  // namespace

Case exact_inputs(const BlockEntry& entry, const Case& c, const Stage& last, int threads) {
  const Precision precision;
  const Contract contract;
  StageValues values(entry, c, precision, contract, threads);
  for (const Stage& stage : entry.block->stages(c)) {
    if (stage.name == last.name) break;
    values.set_middle(stage, values.refer(stage));
  }
  return values.stage_case(last);
}

bool set_rows(Case& c, std::string_view input, const Rows& rows) {
  const auto found = std::ranges::find(c.inputs, input, &NamedTensor::name);
  if (found == c.inputs.end()) return false;
  found->tensor = made_of(found->tensor.dtype(), found->tensor.shape(), rows);
  return true;
}

bool give_to_first_norm(const BlockEntry& entry, Case& c, const Rows& rows, int threads) {
  const std::vector<Stage> stages = entry.block->stages(c);
  const auto norm = std::ranges::find(stages, "layer_norm", &Stage::operation);
  if (norm == stages.end()) return false;
  const auto is_free = [&](const StageInput& input) {
    return input.view.empty() && !is_parameter(input.value) && c.find_input(input.value) != nullptr;
  };
  const auto x = std::ranges::find(norm->inputs, "x", &StageInput::name);
  if (is_free(*x)) return set_rows(c, x->value, rows);
  const auto sum = std::ranges::find(stages, x->value, &Stage::name);
  if (sum == stages.end() || sum->operation != "add") return false;
  const auto summand = std::ranges::find_if(sum->inputs, is_free);
  if (summand == sum->inputs.end()) return false;
  const std::string other = summand->name == "a" ? "b" : "a";
  if (!cut_loose(c)) return false;
  const Case given = exact_inputs(entry, c, *sum, threads);
  const Tensor added = given.input(other);
  const std::int64_t length = added.shape().back();
  return added.shape() == given.input(summand->name).shape() &&
         set_rows(c, summand->value, [&](std::int64_t row, std::int64_t column) {
           return rows(row, column) - added.element(row * length + column);
         });
}

}  // namespace deformdiff
