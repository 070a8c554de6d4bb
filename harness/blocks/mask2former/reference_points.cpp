#include "blocks/mask2former/reference_points.h"

#include "blocks/tensor_list.h"

namespace deformdiff::reference_points {
namespace {

class ReferencePoints : public BlockDefinition {
 public:
  ReferencePoints()
      : BlockDefinition({.name = "reference_points",
                         .purpose = "pixel centres of every level, as fractions of its valid part",
                         .outputs = {"reference_points"}}) {}

  std::vector<TensorSpec> tensors(const Attributes&) const override {
    TensorList list;
    list.sizes("spatial_shapes", "L 2");
    list.fractions("valid_ratios", "B L 2");
    return list.take();
  }

 protected:
  void complete(const Case& c, Extents& extents) const override {
    extents["S"] = total_pixels(level_sizes(c));
  }

  void build(StageBuilder& b) const override {
    b.output("reference_points",
             append(b, {}, level_sizes(b.problem()), b.input("spatial_shapes"), b.input("valid_ratios")));
  }
};

}  // namespace

Value append(StageBuilder& b, const Scope& scope, const std::vector<LevelSize>& levels,
             const Value& spatial_shapes, const Value& valid_ratios) {
  const std::int64_t batch = valid_ratios.shape.at(0), count = valid_ratios.shape.at(1);
  std::vector<Value> centres;
  for (std::size_t l = 0; l < levels.size(); ++l) {
    centres.push_back(
        b.append(scope.stage("reference_points_per_level." + std::to_string(l)), "pixel_centres",
                 {{"spatial_shapes", spatial_shapes}, {"valid_ratios", valid_ratios}},
                 {{"level", static_cast<double>(l)}}, {batch, levels[l].pixels(), 2}, b.dtype()));
  }
  const Value all = b.concat(scope.stage("reference_points_all_levels"), centres, 1);
  return b.append(scope.stage("reference_points"), "scaled_points",
                  {{"points", all}, {"valid_ratios", valid_ratios}}, {}, {batch, all.shape[1], count, 2},
                  b.dtype());
}

const BlockDefinition& block() {
  static const ReferencePoints instance;
  return instance;
}

}  // namespace deformdiff::reference_points
