#include "subjects/mask2former/blocks.h"

#include "subjects/mask2former/pixel_decoder.h"
#include "subjects/mask2former/positions.h"
#include "subjects/mask2former/scope.h"
#include "subjects/mask2former/transformer_decoder.h"

#include <c10/util/Exception.h>

namespace deformdiff::worker::mask2former {
namespace {

using Run = std::vector<at::Tensor> (*)(const Scope&);

const std::map<std::string, Run>& runs() {
  static const std::map<std::string, Run> runs{
      {"position_embedding", run_position_embedding},
      {"reference_points", run_reference_points},
      {"attention_layer", run_attention_layer},
      {"encoder_layer", run_encoder_layer},
      {"pixel_decoder_encoder", run_pixel_decoder_encoder},
      {"pixel_decoder", run_pixel_decoder},
      {"decoder_layer", run_decoder_layer},
      {"mask_predictor", run_mask_predictor},
      {"transformer_decoder", run_transformer_decoder},
      {"mask2former_head", run_mask2former_head},
  };
  return runs;
}

}  // namespace

const std::set<std::string>& block_names() {
  static const std::set<std::string> names = [] {
    std::set<std::string> all;
    for (const auto& [name, run] : runs()) all.insert(name);
    return all;
  }();
  return names;
}

std::vector<at::Tensor> run_block(const Call& call, const MsDeformAttnFunction& op) {
  const auto run = runs().find(call.block);
  TORCH_CHECK_NOT_IMPLEMENTED(run != runs().end(), "there is no block ", call.block);
  return run->second(Scope(call, op));
}

}  // namespace deformdiff::worker::mask2former
