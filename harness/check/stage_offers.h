// What the paths of an exported module's submodules say of stages' values.
#pragma once

#include "check/arrangements.h"
#include "check/checked_model.h"

#include <map>
#include <string>
#include <vector>

namespace deformdiff {

/// Offers of a tapped run (WIRE.md, `describe`): "PATH:out" is the stage PATH, unless a part of PATH is
/// called after it has returned; "PATH:in" what that stage's operation is given.
class StageOffers {
 public:
  /// The model must outlive this; of the taps, those offered are kept by address.
  StageOffers(const CheckedModel& model, const std::vector<Stage>& stages,
              const std::vector<NamedTensor>& taps);

  /// What paths say the stage's value is, as `spec` has it: several where its axes may lie in several orders,
  /// or where a module and its last part stand for the stage and differ. A result comes before an argument.
  std::vector<Tensor> of(const std::string& stage, const OutputSpec& spec, ViewCache& views) const;

  /// Whether a path speaks of the stage.
  bool has(const std::string& stage) const { return results_.contains(stage) || arguments_.contains(stage); }

 private:
  /// In which order its axes lie, its shape may leave open.
  struct Offer {
    LayoutEntry entry;
    const Tensor* tensor;
  };

  void offer_argument(const std::vector<Stage>& stages, const LayoutEntry& entry, const Tensor& tensor);
  static std::vector<Tensor> ways_of(const Offer& offer, const OutputSpec& spec, ViewCache& views);

  std::map<std::string, std::vector<Offer>> results_, arguments_;  ///< by stage
};

}  // namespace deformdiff
