#include "core/declaration.h"

#include "core/conditions.h"

#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

template <typename Value>
using Choice = std::pair<std::string_view, Value>;

// The first of each is the default of Precision and Contract.
constexpr Choice<Arithmetic> kArithmetic[] = {{"wide", Arithmetic::kWide}, {"storage", Arithmetic::kStorage}};
constexpr Choice<Coordinates> kCoordinates[] = {
    {"any", Coordinates::kAny}, {"fused", Coordinates::kFused}, {"grid_sample", Coordinates::kGridSample}};
constexpr Choice<bool> kFlushToZero[] = {{"0", false}, {"1", true}};
constexpr Choice<Deterministic> kDeterministic[] = {
    {"unknown", Deterministic::kUnknown}, {"1", Deterministic::kYes}, {"0", Deterministic::kNo}};
constexpr Choice<Im2colStep> kIm2colStep[] = {{"any", Im2colStep::kAny}, {"divides", Im2colStep::kDivides}};
constexpr Choice<NonfiniteLocation> kNonfiniteLocation[] = {
    {"any", NonfiniteLocation::kAny}, {"zero", NonfiniteLocation::kZero}, {"nan", NonfiniteLocation::kNan}};
constexpr Choice<NonfiniteWeightOutside> kNonfiniteWeightOutside[] = {
    {"any", NonfiniteWeightOutside::kAny},
    {"ignored", NonfiniteWeightOutside::kIgnored},
    {"propagates", NonfiniteWeightOutside::kPropagates}};
constexpr Choice<NonfiniteValueAtZeroWeight> kNonfiniteValueAtZeroWeight[] = {
    {"any", NonfiniteValueAtZeroWeight::kAny},
    {"propagates", NonfiniteValueAtZeroWeight::kPropagates},
    {"ignored", NonfiniteValueAtZeroWeight::kIgnored}};
constexpr Choice<LevelStartIndex> kLevelStartIndex[] = {{"honoured", LevelStartIndex::kHonoured},
                                                        {"ignored", LevelStartIndex::kIgnored}};
constexpr Choice<EdgeGradient> kEdgeGradient[] = {
    {"any", EdgeGradient::kAny}, {"zero", EdgeGradient::kZero}, {"one_sided", EdgeGradient::kOneSided}};
constexpr Choice<std::string_view> kDevice[] = {{"cpu", "cpu"}, {"cuda", "cuda"}};
constexpr DType kDTypes[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16};

template <typename Value, std::size_t N>
std::string names_of(const Choice<Value> (&choices)[N]) {
  std::string names;
  for (const auto& choice : choices) {
    if (!names.empty()) names += '|';
    names += choice.first;
  }
  return names;
}

[[noreturn]] void refuse(std::string_view key, std::string_view value, std::string_view allowed) {
  throw InputError(fmt::format("declaration '{}={}': allowed values are {}", key, value, allowed));
}

template <typename Value, std::size_t N>
Value choose(std::string_view key, std::string_view value, const Choice<Value> (&choices)[N]) {
  for (const auto& [name, chosen] : choices) {
    if (name == value) return chosen;
  }
  refuse(key, value, names_of(choices));
}

std::set<DType> parse_dtypes(std::string_view value) {
  std::set<DType> dtypes;
  std::string_view rest = value;
  while (true) {
    const std::size_t comma = rest.find(',');
    const auto dtype = dtype_from_name(rest.substr(0, comma));
    if (!dtype || !is_floating(*dtype)) refuse("dtypes", value, "lists of float32,float64,float16,bfloat16");
    dtypes.insert(*dtype);
    if (comma == std::string_view::npos) return dtypes;
    rest.remove_prefix(comma + 1);
  }
}

std::string checked_conditions(std::string_view value) {
  std::string conditions(value);
  check_conditions(conditions);
  return conditions;
}

void set(Declaration& declaration, std::string_view key, std::string_view value) {
  Declaration& d = declaration;
  if (key == "device")
    d.device = choose(key, value, kDevice);
  else if (key == "dtypes")
    d.dtypes = parse_dtypes(value);
  else if (key == "supports")
    d.supports = checked_conditions(value);
  else if (key == "arithmetic")
    d.arithmetic = choose(key, value, kArithmetic);
  else if (key == "coordinates")
    d.coordinates = choose(key, value, kCoordinates);
  else if (key == "flush_to_zero")
    d.flush_to_zero = choose(key, value, kFlushToZero);
  else if (key == "deterministic")
    d.deterministic = choose(key, value, kDeterministic);
  else if (key == "im2col_step")
    d.im2col_step = choose(key, value, kIm2colStep);
  else if (key == "nonfinite_location")
    d.nonfinite_location = choose(key, value, kNonfiniteLocation);
  else if (key == "nonfinite_weight_outside")
    d.nonfinite_weight_outside = choose(key, value, kNonfiniteWeightOutside);
  else if (key == "nonfinite_value_at_zero_weight")
    d.nonfinite_value_at_zero_weight = choose(key, value, kNonfiniteValueAtZeroWeight);
  else if (key == "level_start_index")
    d.level_start_index = choose(key, value, kLevelStartIndex);
  else if (key == "edge_gradient")
    d.edge_gradient = choose(key, value, kEdgeGradient);
  else {
    std::vector<std::string> keys;
    for (const DeclarationKey& known : declaration_keys()) keys.push_back(known.key);
    throw InputError(
        fmt::format("declaration '{}={}': allowed keys are {}", key, value, fmt::join(keys, " ")));
  }
}

}  // namespace

Declaration parse_declaration(std::string_view text) {
  Declaration declaration;
  std::set<std::string_view> seen;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view item = text.substr(0, end);
    // The first '=' ends the key: a value of `supports` holds more of them.
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      throw InputError(fmt::format("declaration '{}': key=value wanted, separated by '&'", item));
    }
    const std::string_view key = item.substr(0, equals);
    if (!seen.insert(key).second) throw InputError(fmt::format("declaration: '{}' is given twice", key));
    set(declaration, key, item.substr(equals + 1));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return declaration;
}

void apply(const Declaration& declaration, SubjectInfo& info) {
  const auto assign = [](const auto& from, auto& to) {
    if (from) to = *from;
  };
  assign(declaration.device, info.device);
  assign(declaration.dtypes, info.dtypes);
  assign(declaration.supports, info.supports);
  assign(declaration.arithmetic, info.precision.arithmetic);
  assign(declaration.coordinates, info.precision.coordinates);
  assign(declaration.flush_to_zero, info.precision.flush_to_zero);
  assign(declaration.deterministic, info.contract.deterministic);
  assign(declaration.im2col_step, info.contract.im2col_step);
  assign(declaration.nonfinite_location, info.contract.nonfinite_location);
  assign(declaration.nonfinite_weight_outside, info.contract.nonfinite_weight_outside);
  assign(declaration.nonfinite_value_at_zero_weight, info.contract.nonfinite_value_at_zero_weight);
  assign(declaration.level_start_index, info.contract.level_start_index);
  assign(declaration.edge_gradient, info.contract.edge_gradient);
}

std::vector<DeclarationKey> declaration_keys() {
  return {
      {"device", names_of(kDevice), "where its tensors live"},
      {"dtypes", "float32,float64,float16,bfloat16", "dtypes it computes in; others are unsupported"},
      {"supports", "(everything)",
       "conditions on N S M D Q L P, as in D%8==0,L<=4; other cases are unsupported"},
      {"arithmetic", names_of(kArithmetic), "16-bit types compute in float32, or round every step"},
      {"coordinates", names_of(kCoordinates),
       "loc*W - 0.5, or grid_sample's ((g+1)*W - 1)/2; any admits both, and wider"},
      {"flush_to_zero", names_of(kFlushToZero), "subnormal numbers may become zero"},
      {"deterministic", names_of(kDeterministic), "a second run gives the same bits"},
      {"im2col_step", names_of(kIm2colStep), "divides: min(N, im2col_step) must divide N"},
      {"nonfinite_location", names_of(kNonfiniteLocation), "what a location that is not finite contributes"},
      {"nonfinite_weight_outside", names_of(kNonfiniteWeightOutside),
       "weights that are not finite, of samples outside the map"},
      {"nonfinite_value_at_zero_weight", names_of(kNonfiniteValueAtZeroWeight),
       "values that are not finite, under a weight of zero"},
      {"level_start_index", names_of(kLevelStartIndex), "ignored: levels are taken to follow each other"},
      {"edge_gradient", names_of(kEdgeGradient), "location gradient at the very edge of the range"},
  };
}

}  // namespace deformdiff
