#include "oracles/ms_deform_attn/oracle.h"
#include "oracles/operations/operations.h"
#include "oracles/operations/oracles.h"

#include <map>

namespace deformdiff {
namespace {

/// The oracle in a dtype.
using Lookup = const Oracle& (*)(DType dtype);

const std::map<std::string, Lookup>& registry() {
  static const std::map<std::string, Lookup> oracles{
      {"add", operation::add},
      {"angles", operation::angles},
      {"attention_scores", operation::attention_scores},
      {"concat", operation::concat},
      {"constant", operation::constant},
      {"conv2d", operation::conv2d},
      {"coordinates", operation::coordinates},
      {"copy", operation::copy},
      {"group_norm", operation::group_norm},
      {"layer_norm", operation::layer_norm},
      {"linear", operation::linear},
      {"mask_rows", operation::mask_rows},
      {"matmul", operation::matmul},
      {"mean_heads", operation::mean_heads},
      {"ms_deform_attn", ms_deform_attn::oracle},
      {"pixel_centres", operation::pixel_centres},
      {"relu", operation::relu},
      {"gelu", operation::gelu},
      {"resize", operation::resize},
      {"sampling_locations", operation::sampling_locations},
      {"scale", operation::scale},
      {"scaled_points", operation::scaled_points},
      {"sigmoid", operation::sigmoid},
      {"sine_embedding", operation::sine_embedding},
      {"softmax", operation::softmax},
      {"temperatures", operation::temperatures},
      {"threshold", operation::threshold},
      {"unblock_rows", operation::unblock_rows},
  };
  return oracles;
}

}  // namespace

const Oracle& operation_oracle(const std::string& operation, DType dtype) {
  const auto found = registry().find(operation);
  if (found == registry().end()) throw InternalError("there is no operation '" + operation + "'");
  return found->second(dtype);
}

std::vector<std::string> operations() {
  std::vector<std::string> names;
  for (const auto& [name, lookup] : registry()) names.push_back(name);
  return names;
}

}  // namespace deformdiff
