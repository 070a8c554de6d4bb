#include "core/error.h"
#include "core/sixteen_bits.h"
#include "oracles/ms_deform_attn/backward/oracle.h"
#include "oracles/ms_deform_attn/oracle.h"
#include "oracles/operations/operations.h"
#include "oracles/operations/oracles.h"
#include "oracles/operations/sixteen_bits.h"

#include <utility>

namespace deformdiff {
namespace {

using namespace operation;

const OperationTable& registry() {
  static const OperationTable oracles = [] {
    OperationTable all{{"ms_deform_attn", ms_deform_attn::oracle},
                       {"ms_deform_attn_grad_value", ms_deform_attn::value_gradient_oracle},
                       {"ms_deform_attn_grad_sampling_loc", ms_deform_attn::location_gradient_oracle},
                       {"ms_deform_attn_grad_attn_weight", ms_deform_attn::weight_gradient_oracle}};
    for (OperationTable (*table)() :
         {elementwise_operations, exact_operations, gelu_operations, norms_operations, points_operations,
          positions_operations, products_operations, resize_operations, sigmoid_operations,
          softmax_operations}) {
      all.merge(table());
    }
    return all;
  }();
  return oracles;
}

/// By operation and 16-bit dtype.
using SixteenBitRegistry = std::map<std::pair<std::string, DType>, std::unique_ptr<const Oracle>>;

const SixteenBitRegistry& sixteen_bit_registry() {
  static const SixteenBitRegistry oracles = [] {
    SixteenBitRegistry all;
    for (const auto& [name, lookup] : registry()) {
      for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
        all.emplace(std::pair(name, dtype),
                    sixteen_bit_oracle(name, dtype, {lookup(DType::kFloat32), lookup(dtype)}));
      }
    }
    return all;
  }();
  return oracles;
}

/// By operation.
const std::map<std::string, std::unique_ptr<const Oracle>>& float32_registry() {
  static const auto oracles = [] {
    std::map<std::string, std::unique_ptr<const Oracle>> all;
    for (const auto& [name, lookup] : registry()) {
      all.emplace(name, float32_result_oracle(name, lookup(DType::kFloat32),
                                              {{DType::kFloat16, &lookup(DType::kFloat16)},
                                               {DType::kBFloat16, &lookup(DType::kBFloat16)}}));
    }
    return all;
  }();
  return oracles;
}

}  // namespace

const Oracle& operation_oracle(const std::string& operation, DType dtype) {
  const auto found = registry().find(operation);
  if (found == registry().end()) throw InternalError("there is no operation '" + operation + "'");
  if (dtype == DType::kFloat32) return *float32_registry().at(operation);
  return is_sixteen_bits(dtype) ? *sixteen_bit_registry().at({operation, dtype}) : found->second(dtype);
}

std::vector<std::string> operations() {
  std::vector<std::string> names;
  for (const auto& [name, lookup] : registry()) names.push_back(name);
  return names;
}

}  // namespace deformdiff
