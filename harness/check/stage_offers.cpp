#include "check/stage_offers.h"

#include "core/error.h"
#include "engine/stage_values.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace deformdiff {
namespace {

/// Operations that a framework's module of its own computes.
bool is_module(const std::string& operation) {
  static const std::set<std::string> kModules{"linear", "conv2d", "layer_norm", "group_norm", "relu", "gelu"};
  return kModules.contains(operation);
}

/// PATH, the number of its call in the run with the "#", and side of a tap "PATH#K:side".
struct TapPlace {
  std::string path, call, side;
};

TapPlace place_of(const std::string& tap) {
  const std::size_t colon = tap.rfind(':');
  if (colon == std::string::npos) return {};
  const std::size_t number = std::min(tap.rfind('#', colon), colon);
  return {tap.substr(0, number), tap.substr(number, colon - number), tap.substr(colon + 1)};
}

bool is_part(const std::string& path, const std::string& whole) {
  return path.starts_with(whole + ".");
}

/// Calls no submodule: its argument is what its own operation is given.
bool is_leaf(const std::vector<TapPlace>& places, const std::string& path) {
  return std::ranges::none_of(places, [&](const TapPlace& each) { return is_part(each.path, path); });
}

/// A part of the module is called once the module has returned: what that returned is not the whole.
bool returns_before_a_part(std::span<const TapPlace> after, const TapPlace& result) {
  return std::ranges::any_of(after, [&](const TapPlace& each) {
    return each.side == "in" && each.call == result.call && is_part(each.path, result.path);
  });
}

}  // namespace

StageOffers::StageOffers(const CheckedModel& model, const std::vector<Stage>& stages,
                         const std::vector<NamedTensor>& taps) {
  std::vector<TapPlace> places;
  for (const NamedTensor& tap : taps) places.push_back(place_of(tap.name));
  for (std::size_t i = 0; i < taps.size(); ++i) {
    const TapPlace& place = places[i];
    const auto theirs = model.their_path(place.path + place.call);
    if (place.side.empty() || !theirs) continue;
    if (place.side == "out" && !returns_before_a_part(std::span(places).subspan(i), place)) {
      for (const LayoutEntry& entry : model.names().stages(*theirs)) {
        results_[entry.ours].push_back({entry, &taps[i].tensor});
      }
    } else if (place.side == "in" && is_leaf(places, place.path)) {
      if (const auto entry = model.names().stage(*theirs)) offer_argument(stages, *entry, taps[i].tensor);
    }
  }
}

/// A module's argument is the value that its stage's operation takes as x.
void StageOffers::offer_argument(const std::vector<Stage>& stages, const LayoutEntry& entry,
                                 const Tensor& tensor) {
  const auto stage = std::ranges::find(stages, entry.ours, &Stage::name);
  if (stage == stages.end() || !is_module(stage->operation)) return;
  const auto x = std::ranges::find(stage->inputs, "x", &StageInput::name);
  if (x == stage->inputs.end() || !only_reshapes(x->view)) return;
  arguments_[x->value].push_back({entry, &tensor});
}

std::vector<Tensor> StageOffers::of(const std::string& stage, const OutputSpec& spec,
                                    ViewCache& views) const {
  for (const auto* offers : {&results_, &arguments_}) {
    const auto found = offers->find(stage);
    if (found == offers->end()) continue;
    std::vector<Tensor> offered;
    for (const Offer& offer : found->second) {
      for (Tensor& way : ways_of(offer, spec, views)) {
        if (std::ranges::find(offered, way) == offered.end()) offered.push_back(std::move(way));
      }
    }
    if (!offered.empty()) return offered;
  }
  return {};
}

std::vector<Tensor> StageOffers::ways_of(const Offer& offer, const OutputSpec& spec, ViewCache& views) {
  if (offer.tensor->dtype() != spec.dtype) return {};
  std::vector<Tensor> ways;
  const auto add = [&](Tensor way) {
    if (way.shape() == spec.shape && std::ranges::find(ways, way) == ways.end())
      ways.push_back(std::move(way));
  };
  for (const View& view : views.views(offer.tensor->shape(), spec.shape, 1))
    add(rearranged(*offer.tensor, view));
  try {
    add(to_ours(offer.entry, *offer.tensor, spec.shape));
  } catch (const InputError&) {
    // Another shape than the framework's own: not that value.
  }
  return ways;
}

}  // namespace deformdiff
