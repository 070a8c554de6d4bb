// What an exported module claims to be: a block with its attributes and parameters, and the order of its
// arguments and results.
#pragma once

#include "blocks/layouts/parameters.h"
#include "check/exported_module.h"
#include "check/request.h"
#include "engine/block_entry.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace deformdiff {

class CheckedModel {
 public:
  /// Parameters come from --params or the module; attributes from --config, shapes and defaults. Throws
  /// InputError naming what is missing, unknown or does not fit, and the flag that mends it. Where the
  /// request has an image's size the module is a whole model that takes that alone, and the block is found in
  /// it.
  CheckedModel(const CheckRequest& request, const BlockEntry& entry, const ModuleDescription& description);

  const BlockEntry& entry() const { return entry_; }
  const BlockDefinition& block() const { return block_; }
  const LayoutNames& names() const { return names_; }
  const Attributes& attributes() const { return attributes_; }
  const Extents& configured_extents() const { return configured_extents_; }   ///< extents_from_config()
  const std::vector<NamedTensor>& parameters() const { return parameters_; }  ///< "param." and our names
  DType dtype() const { return dtype_; }                                      ///< that the module computes in
  /// A submodule's path as the framework names it, without prefix and wrappers; nothing if it is no part of
  /// the block.
  std::optional<std::string> their_path(const std::string& path) const;

  /// Of a block inside a whole model: the path of the submodule that is called with the block's inputs, and
  /// whether that is all of the block, or some of its parts lie elsewhere.
  std::string call_path() const;
  bool is_one_module() const { return parts_in_common().empty(); }

  /// Our names of the module's inputs, and of those that it should take and its exporter has dropped.
  std::set<std::string> input_set() const;
  const std::vector<std::string>& dropped_inputs() const { return dropped_inputs_; }

  /// Of our names and in our shapes: what the module was traced with, as far as the file has it.
  std::vector<NamedTensor> traced_inputs() const;

  /// The inputs of a case as the module takes them, in its order. Throws InputError naming one that the case
  /// lacks.
  std::vector<NamedTensor> arguments(const Case& c) const;

  /// Of the block's outputs, in the module's order.
  const std::vector<LayoutEntry>& outputs() const { return outputs_; }

  /// A tensor that the framework has as this output of the block, in our shape where it has one that can be
  /// rearranged.
  Tensor our_output(const std::string& name, const Tensor& theirs) const;

  /// Makes a module's results the block's outputs, in the block's order and shapes. What does not fit stays
  /// as it is, and is then judged to have the wrong structure.
  void name_outputs(Outcome& outcome) const;

 private:
  CheckedModel(const CheckRequest& request, const BlockEntry& entry, const ModuleDescription& description,
               Layout layout, const Attributes& configured);
  std::string parts_in_common() const;
  void find_inputs(const CheckRequest& request);
  void find_dropped_inputs();
  void find_outputs(const CheckRequest& request);

  const BlockEntry& entry_;
  const BlockDefinition& block_;
  const ModuleDescription& description_;
  DType dtype_;
  CanonicalParameters canonical_;
  Attributes attributes_;
  Extents configured_extents_;
  LayoutNames names_;
  std::vector<NamedTensor> parameters_;
  std::vector<LayoutEntry> inputs_, outputs_;  ///< in the module's order
  std::vector<std::string> dropped_inputs_;
};

}  // namespace deformdiff
