#include "blocks/mask2former/position_embedding.h"

#include "blocks/tensor_list.h"

#include <numbers>

#include <fmt/format.h>

namespace deformdiff::position_embedding {
namespace {

struct Size {
  std::int64_t height, width;
};

Size size_of_map(const Case& c) {
  const Tensor shape = c.input("spatial_shape").contiguous();
  return {shape.values<std::int64_t>()[0], shape.values<std::int64_t>()[1]};
}

Attributes all_attributes() {
  Attributes attributes = position_embedding::default_attributes();
  attributes["num_position_features"] = 128;
  attributes["bits"] = 32;
  return attributes;
}

class PositionEmbedding : public BlockDefinition {
 public:
  PositionEmbedding()
      : BlockDefinition({.name = "position_embedding",
                         .purpose = "sine position embedding of a map",
                         .outputs = {"position_embedding"},
                         .part = ModelPart::kPositions,
                         .attributes = all_attributes(),
                         .extents = {{"F", "num_position_features"}}}) {}

  std::vector<TensorSpec> tensors(const Attributes&) const override {
    TensorList list;
    list.sizes("spatial_shape", "2");
    list.optional("mask", TensorSpec::Kind::kBool, "B H W");
    return list.take();
  }

  DType compute_dtype(const Case& c) const override {
    return c.attribute("bits") == 64 ? DType::kFloat64 : DType::kFloat32;
  }

  Case converted(Case c, DType dtype) const override {
    c.attributes["bits"] = 8.0 * static_cast<double>(size_of(dtype));
    return c;
  }

 protected:
  void complete(const Case& c, Extents& extents) const override {
    const Size size = size_of_map(c);
    if (size.height < 1 || size.width < 1) {
      refuse("spatial_shape", fmt::format("{} x {} found, at least 1 x 1 wanted", size.height, size.width));
    }
    if (c.find_input("mask") == nullptr) {
      extents["B"] = 1;
      extents["H"] = size.height;
      extents["W"] = size.width;
    } else if (size.height != extents.at("H") || size.width != extents.at("W")) {
      refuse("mask", fmt::format("it is {} x {}, {} x {} wanted as in spatial_shape", extents.at("H"),
                                 extents.at("W"), size.height, size.width));
    }
  }

  void build(StageBuilder& b) const override {
    const Size size = size_of_map(b.problem());
    const std::optional<Value> mask = b.find_input("mask");
    const Map map = mask ? Map{"mask", *mask, mask->shape[0], size.height, size.width}
                         : Map{"spatial_shape", b.input("spatial_shape"), 1, size.height, size.width};
    b.output("position_embedding",
             append(b, {}, "position_embedding", map, b.problem().attribute("num_position_features")));
  }
};

}  // namespace

Attributes default_attributes() {
  return {{"position_temperature", 10000},
          {"position_scale", 2 * std::numbers::pi},
          {"position_eps", 1e-6},
          {"position_normalize", 1},
          {"position_offset", 0}};
}

Value append(StageBuilder& b, const Scope& scope, const std::string& name, const Map& map,
             std::int64_t features) {
  const Case& c = b.problem();
  const Shape cells{map.batch, map.height, map.width};
  const auto coordinates = [&](const char* stage, int axis) {
    // Without a mask every image of the batch has the same coordinates.
    const std::int64_t computed = map.kind == "mask" ? map.batch : 1;
    const Value all = b.append(scope.stage(stage), "coordinates", {{map.kind, map.value}},
                               {{"axis", axis},
                                {"normalize", c.number("position_normalize")},
                                {"offset", c.number("position_offset")},
                                {"eps", c.number("position_eps")},
                                {"scale", c.number("position_scale")}},
                               {computed, map.height, map.width}, b.dtype());
    return b.store(expanded(all, cells));
  };
  const Value y = coordinates("y_embed", 0), x = coordinates("x_embed", 1);
  const Value temperatures =
      b.append(scope.stage("dim_t"), "temperatures", {},
               {{"count", static_cast<double>(features)}, {"temperature", c.number("position_temperature")}},
               {features}, b.dtype());
  const auto angles = [&](const char* stage, const Value& of) {
    return b.append(scope.stage(stage), "angles", {{"coordinates", of}, {"temperatures", temperatures}}, {},
                    {map.batch, map.height, map.width, features}, b.dtype());
  };
  const Value angle_y = angles("angle_y", y), angle_x = angles("angle_x", x);
  return b.append(name, "sine_embedding", {{"angle_y", angle_y}, {"angle_x", angle_x}}, {},
                  {map.batch, 2 * features, map.height, map.width}, b.dtype());
}

const BlockDefinition& block() {
  static const PositionEmbedding instance;
  return instance;
}

}  // namespace deformdiff::position_embedding
