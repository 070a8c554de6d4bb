// Layer norms and group norms that normalise otherwise: Ba et al. 2016 (arXiv:1607.06450), Wu and He 2018
// (arXiv:1803.08494).
#include "faults/fault.h"
#include "faults/tampering.h"
#include "subjects/ms_deform_attn/forward.h"

#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sqrt.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::forward_operator;
using Blocks = std::set<std::string>;

/// A norm of a model and what it is given.
struct Norm {
  at::Tensor x;             ///< layer norm: [..., C]; group norm: [N, C, H, W]
  at::Tensor weight, bias;  ///< [C]
  double eps;
  std::int64_t groups;  ///< of channels; 0 in layer norms

  at::Tensor result() const {
    return groups == 0 ? at::layer_norm(x, {x.size(-1)}, weight, bias, eps)
                       : at::group_norm(x.contiguous(), groups, weight, bias, eps);
  }
  /// x with what is normalised together in the last axis.
  at::Tensor rows() const {
    return groups == 0 ? x : x.unflatten(1, {groups, x.size(1) / groups}).flatten(2);
  }
  /// Rows, or a tensor of as many elements in that order, with weight and bias.
  at::Tensor affine(const at::Tensor& normalised) const {
    const at::Tensor shaped = normalised.reshape(x.sizes());
    return shaped * of_channels(weight) + of_channels(bias);
  }
  at::Tensor of_channels(const at::Tensor& parameter) const {
    return groups == 0 ? parameter : parameter.reshape({1, -1, 1, 1});
  }
};

/// What a wrong norm makes of it.
using WrongNorm = std::function<at::Tensor(const Norm&)>;

/// The norm whose stage this is, without x.
std::optional<Norm> norm_of(const Call& call, const std::string& stage, const at::Tensor& value) {
  const std::string path = "param." + stage.substr(0, stage.find('#'));
  const at::Tensor* weight = call.find_input(path + ".weight");
  if (weight == nullptr || weight->dim() != 1) return std::nullopt;  // other layers' weights have more axes
  const std::int64_t groups = value.dim() == 4 ? call.integer("group_norm_groups") : 0;
  return Norm{{}, *weight, call.input(path + ".bias"), call.number("eps"), groups};
}

/// The model with a wrong norm in place of each whose input shows before it.
BlockFunction with_norms(WrongNorm wrong) {
  return tampered(forward_operator, [wrong = std::move(wrong)](const Call& call) -> Tamper {
    const auto earlier = std::make_shared<std::vector<at::Tensor>>();
    return [wrong, call, earlier](const std::string& stage, const at::Tensor& value) {
      at::Tensor shown = value;
      if (std::optional<Norm> norm = norm_of(call, stage, value)) {
        for (const at::Tensor& x : *earlier | std::views::reverse) {
          if (x.sizes() != value.sizes() || x.scalar_type() != value.scalar_type()) continue;
          norm->x = x;
          if (!at::equal(norm->result(), value)) continue;
          shown = wrong(*norm);
          break;
        }
      }
      earlier->push_back(shown);
      return shown;
    };
  });
}

/// With the square root of another variance.
WrongNorm with_variance(at::Tensor (*variance)(const at::Tensor& rows, const at::Tensor& mean)) {
  return [variance](const Norm& norm) {
    const at::Tensor rows = norm.rows(), mean = rows.mean(-1, /*keepdim=*/true);
    return norm.affine((rows - mean) / at::sqrt(variance(rows, mean) + norm.eps));
  };
}

at::Tensor unbiased(const at::Tensor& rows, const at::Tensor& /*mean*/) {
  return rows.var(-1, /*unbiased=*/true, /*keepdim=*/true);
}

at::Tensor in_one_pass(const at::Tensor& rows, const at::Tensor& mean) {
  return at::clamp_min((rows * rows).mean(-1, /*keepdim=*/true) - mean * mean, 0);
}

at::Tensor eps_outside_root(const Norm& norm) {
  const at::Tensor rows = norm.rows(), mean = rows.mean(-1, /*keepdim=*/true);
  const at::Tensor deviation = at::sqrt(rows.var(-1, /*unbiased=*/false, /*keepdim=*/true));
  return norm.affine((rows - mean) / (deviation + norm.eps));
}

at::Tensor half_statistics(const Norm& norm) {
  const auto rounded = [](const at::Tensor& x) { return x.to(at::kBFloat16).to(x.scalar_type()); };
  const at::Tensor rows = norm.rows(), mean = rounded(rows.mean(-1, /*keepdim=*/true));
  const at::Tensor variance = rounded(rows.var(-1, /*unbiased=*/false, /*keepdim=*/true));
  return norm.affine((rows - mean) / at::sqrt(variance + norm.eps));
}

/// As model.half() leaves them, where they should stay float32.
at::Tensor half_parameters(const Norm& norm) {
  Norm rounded = norm;
  for (at::Tensor* parameter : {&rounded.weight, &rounded.bias})
    *parameter = parameter->to(norm.x.scalar_type()).to(parameter->scalar_type());
  return rounded.result();
}

at::Tensor bias_before_weight(const Norm& norm) {
  Norm plain = norm;
  plain.weight = at::ones_like(norm.weight);
  return plain.result() * norm.of_channels(norm.weight);
}

at::Tensor of_all_rows(const Norm& norm) {
  if (norm.groups != 0) return norm.result();
  return norm.affine(at::layer_norm(norm.x, norm.x.sizes(), {}, {}, norm.eps));
}

at::Tensor over_batch(const Norm& norm) {
  if (norm.groups == 0) return norm.result();
  const at::Tensor together = norm.x.transpose(0, 1).unsqueeze(0).flatten(2, 3);  // [1, C, N*H, W]
  const at::Tensor normalised = at::group_norm(together.contiguous(), norm.groups, {}, {}, norm.eps);
  return norm.affine(normalised.reshape(norm.x.transpose(0, 1).sizes()).transpose(0, 1));
}

/// Group g has the channels g, g + groups, ...
at::Tensor interleaved_groups(const Norm& norm) {
  if (norm.groups == 0) return norm.result();
  const auto regrouped = [](const at::Tensor& x, std::int64_t rows) {
    return x.unflatten(1, {rows, -1}).transpose(1, 2).flatten(1, 2).contiguous();
  };
  const std::int64_t of_each = norm.x.size(1) / norm.groups;
  const at::Tensor groups = regrouped(norm.x, of_each);
  return norm.affine(regrouped(at::group_norm(groups, norm.groups, {}, {}, norm.eps), norm.groups));
}

}  // namespace

SubjectList norm_faults() {
  // A norm is the same in every model: these are the smallest that have one.
  const Blocks with_layer_norms{"encoder_layer", "decoder_layer", "pixel_decoder"};
  const Blocks with_group_norms{"pixel_decoder"};
  SubjectList list;
  const auto add = [&list](const char* name, const Blocks& blocks, const char* faulty, WrongNorm wrong) {
    add_fault(list, {name, "norms", faulty, "", "out_of_bound"}, blocks, with_norms(std::move(wrong)));
  };
  add("norm_unbiased_variance", with_layer_norms, "norms divide by the root of the unbiased variance",
      with_variance(unbiased));
  add("norm_one_pass_variance", with_layer_norms, "norms take mean(x^2) - mean(x)^2 for the variance",
      with_variance(in_one_pass));
  add("norm_eps_outside_root", with_layer_norms, "norms add eps to the deviation and not to the variance",
      eps_outside_root);
  add("norm_half_statistics", with_layer_norms, "norms round mean and variance to bfloat16", half_statistics);
  add("norm_bias_before_weight", with_layer_norms, "norms add their bias before they multiply",
      bias_before_weight);
  add("layer_norm_of_all_rows", with_layer_norms, "layer norms have one mean for all queries", of_all_rows);
  add("group_norm_over_batch", with_group_norms, "group norms have one mean for all images", over_batch);
  add("group_norm_interleaved", with_group_norms, "a group norm's groups are every G-th channel",
      interleaved_groups);
  add_mixed_fault(list,
                  {"norm_half_parameters", "norms", "norms round their float32 parameters to 16 bits", "",
                   "out_of_bound"},
                  with_layer_norms, with_norms(half_parameters));
  return list;
}

}  // namespace deformdiff::worker
