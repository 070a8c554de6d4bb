// Writing down the tensors of a block's case: inputs one by one, parameters a module at a time.
#pragma once

#include "blocks/block_definition.h"

#include <string>
#include <utility>
#include <vector>

namespace deformdiff {

class TensorList {
 public:
  void floating(const std::string& name, const std::string& axes) {
    append(name, TensorSpec::Kind::kFloating, axes);
  }
  void fractions(const std::string& name, const std::string& axes) {
    append(name, TensorSpec::Kind::kFloating, axes, TensorSpec::Role::kFractions);
  }
  void sizes(const std::string& name, const std::string& axes) {
    append(name, TensorSpec::Kind::kInt64, axes, TensorSpec::Role::kSizes);
  }
  void level_starts(const std::string& name) {
    append(name, TensorSpec::Kind::kInt64, "L", TensorSpec::Role::kLevelStarts);
  }
  void optional(const std::string& name, TensorSpec::Kind kind, const std::string& axes) {
    append(name, kind, axes, TensorSpec::Role::kValues, true);
  }

  void parameter(const std::string& name, const std::string& axes, bool optional = false) {
    append(std::string(kParameterPrefix) + name, TensorSpec::Kind::kFloating, axes, TensorSpec::Role::kValues,
           optional);
  }
  /// Weight [out, in] and bias.
  void linear(const std::string& module, const std::string& out, const std::string& in) {
    parameter(module + ".weight", out + " " + in);
    parameter(module + ".bias", out);
  }
  /// Weight [out, in, side, side] without bias.
  void conv(const std::string& module, const std::string& out, const std::string& in, int side,
            bool optional = false) {
    const std::string number = std::to_string(side);
    parameter(module + ".weight", out + " " + in + " " + number + " " + number, optional);
  }
  void bias(const std::string& module, const std::string& width, bool optional = false) {
    parameter(module + ".bias", width, optional);
  }
  /// Weight and bias of a LayerNorm or GroupNorm.
  void norm(const std::string& module, const std::string& width) {
    parameter(module + ".weight", width);
    parameter(module + ".bias", width);
  }

  std::vector<TensorSpec> take() { return std::move(specs_); }

 private:
  void append(const std::string& name, TensorSpec::Kind kind, const std::string& axes,
              TensorSpec::Role role = TensorSpec::Role::kValues, bool optional = false) {
    specs_.push_back({name, kind, axes, role, optional});
  }

  std::vector<TensorSpec> specs_;
};

/// "layers.", 2 -> "layers.2"
inline std::string numbered(const std::string& name, std::int64_t i) {
  return name + std::to_string(i);
}

}  // namespace deformdiff
