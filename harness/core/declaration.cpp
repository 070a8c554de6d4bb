#include "core/declaration.h"

#include "core/comma_list.h"
#include "core/conditions.h"
#include "core/error.h"
#include "core/mixed_types.h"
#include "core/sixteen_bits.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

template <typename Value>
using Choice = std::pair<std::string_view, Value>;

// The first of each is the default of Precision and Contract.
constexpr Choice<std::string_view> kDevice[] = {{"cpu", "cpu"}, {"cuda", "cuda"}};
constexpr Choice<Arithmetic> kArithmetic[] = {
    {"wide", Arithmetic::kWide}, {"operations", Arithmetic::kOperations}, {"storage", Arithmetic::kStorage}};
constexpr Choice<Unseen> kUnseen[] = {{"any", Unseen::kAny}, {"rounded", Unseen::kRounded}};
constexpr Choice<Coordinates> kCoordinates[] = {
    {"any", Coordinates::kAny}, {"fused", Coordinates::kFused}, {"grid_sample", Coordinates::kGridSample}};
constexpr Choice<bool> kFlushToZero[] = {{"0", false}, {"1", true}};
constexpr Choice<Variance> kVariance[] = {
    {"any", Variance::kAny}, {"centred", Variance::kCentred}, {"layer_centred", Variance::kLayerCentred}};
constexpr Choice<Products> kProducts[] = {{"float32", Products::kFloat32},
                                          {"tf32", Products::kTf32},
                                          {"bf16", Products::kBfloat16},
                                          {"bf16x3", Products::kBfloat16x3}};
constexpr Choice<ProductSums> kProductSums[] = {{"float32", ProductSums::kFloat32},
                                                {"float16", ProductSums::kFloat16}};
constexpr Choice<Convolutions> kConvolutions[] = {{"direct", Convolutions::kDirect},
                                                  {"winograd2", Convolutions::kWinograd2},
                                                  {"winograd4", Convolutions::kWinograd4},
                                                  {"winograd6", Convolutions::kWinograd6}};
constexpr Choice<Autocast> kAutocast[] = {
    {"none", Autocast::kNone}, {"float16", Autocast::kFloat16}, {"bfloat16", Autocast::kBFloat16}};
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

constexpr Choice<Bound> kBound[] = {{"derived", Bound::kDerived}, {"none", Bound::kNone}};
constexpr Choice<Concurrency> kCalls[] = {{"at_once", Concurrency::kAtOnce},
                                          {"one_at_a_time", Concurrency::kOneAtATime}};

constexpr double kMostUlps = 1e6;

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

/// Before the name of a 16-bit type: beside float32.
constexpr std::string_view kMixed = "mixed_";

void set_dtypes(SubjectInfo& info, std::string_view value) {
  info.dtypes.clear();
  info.mixed_dtypes.clear();
  std::string_view rest = value;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    const bool mixed = word.starts_with(kMixed);
    const auto dtype = dtype_from_name(word.substr(mixed ? kMixed.size() : 0));
    if (!dtype || !(mixed ? is_sixteen_bits(*dtype) : is_floating(*dtype))) {
      refuse("dtypes", value, "lists of float32,float64,float16,bfloat16,mixed_float16,mixed_bfloat16");
    }
    (mixed ? info.mixed_dtypes : info.dtypes).insert(*dtype);
    if (comma == std::string_view::npos) return;
    rest.remove_prefix(comma + 1);
  }
}

std::string checked_conditions(std::string_view value) {
  std::string conditions(value);
  check_conditions(conditions);
  return conditions;
}

double parse_ulps(std::string_view key, std::string_view value) {
  double ulps = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), ulps);
  const bool is_number = error == std::errc() && end == value.data() + value.size();
  if (!is_number || !(ulps >= 0 && ulps <= kMostUlps)) {
    refuse(key, value, fmt::format("numbers from 0 to {}", kMostUlps));
  }
  return ulps;
}

/// What a key does to the description of an implementation, and how it is read off one.
struct Key {
  DeclarationKey shown;
  std::function<void(SubjectInfo&, std::string_view value)> set;
  std::function<std::string(const SubjectInfo&)> value_of;
};

/// `path` leads, member by member, to what the key sets.
template <typename Value, std::size_t N, typename... Members>
Key choice(const char* name, const Choice<Value> (&choices)[N], const char* meaning, Members... path) {
  const Choice<Value>* first = choices;
  return {{name, names_of(choices), meaning},
          [=, &choices](SubjectInfo& info, std::string_view value) {
            (info.*....*path) = choose(name, value, choices);
          },
          [=](const SubjectInfo& info) {
            const Choice<Value>* chosen = std::find_if(first, first + N, [&](const Choice<Value>& each) {
              return each.second == (info.*....*path);
            });
            DEFORMDIFF_CHECK(chosen != first + N);
            return std::string(chosen->first);
          }};
}

Key ulps(const char* name, const char* functions, double FunctionUlps::*function) {
  return {{name, fmt::format("{}", FunctionUlps{}.*function),
           fmt::format("largest error of {}, in units in the last place of the result; a number", functions)},
          [=](SubjectInfo& info, std::string_view value) {
            info.precision.ulps.*function = parse_ulps(name, value);
          },
          [=](const SubjectInfo& info) { return fmt::format("{}", info.precision.ulps.*function); }};
}

std::string dtypes_of(const SubjectInfo& info) {
  std::vector<std::string> names;
  for (const DType dtype : info.dtypes) names.emplace_back(name_of(dtype));
  for (const DType dtype : info.mixed_dtypes) names.push_back(mixed_name_of(dtype));
  return fmt::format("{}", fmt::join(names, ","));
}

constexpr const char* kOnceEach =
    "unknown|1|0 and NAME:unknown|1|0 of outputs, each once, with commas between";

/// "1", "unknown", and "NAME:0" for single outputs, with commas between them.
void set_determinism(SubjectInfo& info, std::string_view value) {
  Contract& contract = info.contract;
  contract.deterministic = Deterministic::kUnknown;
  contract.deterministic_outputs.clear();
  std::set<std::string> names;
  for (const std::string& item : split_at_commas(value)) {
    const std::size_t colon = item.find(':');
    const std::string name = colon == std::string::npos ? "" : item.substr(0, colon);
    const Deterministic promise = choose("deterministic", item.substr(colon + 1), kDeterministic);
    if (colon == 0 || !names.insert(name).second) refuse("deterministic", value, kOnceEach);
    (name.empty() ? contract.deterministic : contract.deterministic_outputs[name]) = promise;
  }
  if (names.empty()) refuse("deterministic", value, kOnceEach);
}

std::string determinism_of(const SubjectInfo& info) {
  const auto name = [](Deterministic promise) {
    return std::ranges::find(kDeterministic, promise, &Choice<Deterministic>::second)->first;
  };
  std::string text(name(info.contract.deterministic));
  for (const auto& [output, promise] : info.contract.deterministic_outputs)
    text += fmt::format(",{}:{}", output, name(promise));
  return text;
}

const std::vector<Key>& keys() {
  static const std::vector<Key> keys{
      choice("device", kDevice, "where its tensors live", &SubjectInfo::device),
      {{"dtypes", "float32,float64,float16,bfloat16",
        "dtypes it computes in; others are unsupported; mixed_float16 and mixed_bfloat16: those of value "
        "beside float32 locations and weights, and of all others beside float32 parameters of norms"},
       set_dtypes,
       dtypes_of},
      {{"supports", "(everything)",
        "conditions on N S M D Q L P, as in D%8==0,L<=4; other cases are unsupported"},
       [](SubjectInfo& info, std::string_view value) { info.supports = checked_conditions(value); },
       [](const SubjectInfo& info) { return info.supports; }},
      choice("bound", kBound,
             "none: its arithmetic is none of these; answers are judged by relations between them, of the "
             "operator and its backward",
             &SubjectInfo::bound),
      choice("calls", kCalls, "whether several threads may call it at once, on inputs that require gradients",
             &SubjectInfo::calls),
      choice("arithmetic", kArithmetic,
             "16-bit types compute in float32, round after each operation of tensors, or every step",
             &SubjectInfo::precision, &Precision::arithmetic),
      choice(
          "unseen", kUnseen,
          "16-bit values on the way that are not shown: any says that a fused graph may go on with them in "
          "float32",
          &SubjectInfo::precision, &Precision::unseen),
      choice("coordinates", kCoordinates,
             "loc*W - 0.5, or grid_sample's ((g+1)*W - 1)/2, taken to hold all samples at once; any admits "
             "both, and wider; of a resized map's positions, too",
             &SubjectInfo::precision, &Precision::coordinates),
      choice("flush_to_zero", kFlushToZero, "subnormal numbers may become zero", &SubjectInfo::precision,
             &Precision::flush_to_zero),
      choice(
          "variance", kVariance,
          "of norms: centred is that of x - mean; any admits mean(x^2) - mean^2 too, layer_centred in group "
          "norms alone",
          &SubjectInfo::precision, &Precision::variance),
      choice("products", kProducts,
             "operands of float32 products of matrices and convolutions: as they are, or as matrix hardware "
             "takes them",
             &SubjectInfo::precision, &Precision::products),
      choice("product_sums", kProductSums, "what such products are added up in", &SubjectInfo::precision,
             &Precision::product_sums),
      choice("convolutions", kConvolutions,
             "3x3 convolutions: sums of products, or also by Winograd's transforms of tiles with 2x2, 4x4 or "
             "6x6 results",
             &SubjectInfo::precision, &Precision::convolutions),
      choice("autocast", kAutocast,
             "of float32 models: matrix products and convolutions take and give this type, all else computes "
             "in float32",
             &SubjectInfo::precision, &Precision::autocast),
      ulps("exp_ulps", "exp", &FunctionUlps::exp),
      ulps("tanh_ulps", "tanh", &FunctionUlps::tanh),
      ulps("sin_cos_ulps", "sin and cos", &FunctionUlps::sin_cos),
      ulps("pow_ulps", "pow", &FunctionUlps::pow),
      ulps("erf_ulps", "erf (GELU's: beside the larger of |erf| and 1 + erf)", &FunctionUlps::erf),
      {{"deterministic", names_of(kDeterministic),
        "a second run gives the same bits; of single outputs too, as in 1,value:0 for the gradient of value"},
       set_determinism,
       determinism_of},
      choice("im2col_step", kIm2colStep, "divides: min(N, im2col_step) must divide N", &SubjectInfo::contract,
             &Contract::im2col_step),
      choice("nonfinite_location", kNonfiniteLocation, "what a location that is not finite contributes",
             &SubjectInfo::contract, &Contract::nonfinite_location),
      choice("nonfinite_weight_outside", kNonfiniteWeightOutside,
             "weights that are not finite, of samples outside the map", &SubjectInfo::contract,
             &Contract::nonfinite_weight_outside),
      choice("nonfinite_value_at_zero_weight", kNonfiniteValueAtZeroWeight,
             "values that are not finite, under a weight of zero", &SubjectInfo::contract,
             &Contract::nonfinite_value_at_zero_weight),
      choice("level_start_index", kLevelStartIndex, "ignored: levels are taken to follow each other",
             &SubjectInfo::contract, &Contract::level_start_index),
      choice("edge_gradient", kEdgeGradient, "location gradient at the very edge of the range",
             &SubjectInfo::contract, &Contract::edge_gradient),
  };
  return keys;
}

const Key* find_key(std::string_view name) {
  const auto found = std::ranges::find(keys(), name, [](const Key& key) { return key.shown.key; });
  return found == keys().end() ? nullptr : &*found;
}

}  // namespace

const std::string* Declaration::find(std::string_view key) const {
  const auto found = std::ranges::find(settings, key, &Setting::key);
  return found == settings.end() ? nullptr : &found->value;
}

Declaration parse_declaration(std::string_view text) {
  Declaration declaration;
  SubjectInfo scratch;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view item = text.substr(0, end);
    // The first '=' ends the key: a value of `supports` holds more of them.
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      throw InputError(fmt::format("declaration '{}': key=value wanted, separated by '&'", item));
    }
    const std::string_view name = item.substr(0, equals), value = item.substr(equals + 1);
    if (declaration.find(name) != nullptr) {
      throw InputError(fmt::format("declaration: '{}' is given twice", name));
    }
    const Key* key = find_key(name);
    if (key == nullptr) {
      std::vector<std::string> names;
      for (const Key& known : keys()) names.push_back(known.shown.key);
      throw InputError(fmt::format("declaration '{}': allowed keys are {}", item, fmt::join(names, " ")));
    }
    key->set(scratch, value);
    declaration.settings.push_back({std::string(name), std::string(value)});
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return declaration;
}

void apply(const Declaration& declaration, SubjectInfo& info) {
  for (const auto& [key, value] : declaration.settings) find_key(key)->set(info, value);
}

std::string declaration_of(const SubjectInfo& info) {
  std::string text;
  for (const Key& key : keys()) {
    const std::string value = key.value_of(info);
    if (!value.empty()) text += fmt::format("{}{}={}", text.empty() ? "" : "&", key.shown.key, value);
  }
  return text;
}

std::vector<DeclarationKey> declaration_keys() {
  std::vector<DeclarationKey> shown;
  for (const Key& key : keys()) shown.push_back(key.shown);
  return shown;
}

}  // namespace deformdiff
