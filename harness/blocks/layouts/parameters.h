// A framework's parameters, under their names, as ours.
#pragma once

#include "blocks/layouts/names.h"

#include <map>
#include <string>
#include <vector>

namespace deformdiff {

struct CanonicalParameters {
  std::vector<NamedTensor> tensors;  ///< "param." and our names
  std::string prefix;                ///< what stood before all of their names: "sem_seg_head.", ""
  /// Paths, behind the prefix, of modules that only wrap another, "decoder.inner.", and what they are without
  /// the wrapper, "decoder.".
  std::map<std::string, std::string> wrappers;
};

/// The modules that all names begin with, up to and with a dot; empty where there are none.
std::string leading_module(const std::vector<std::string>& names);

/// A path of theirs, behind the prefix, without wrappers.
std::string unwrapped(const CanonicalParameters& parameters, const std::string& path);

/// Their parameters as ours. A prefix common to all names ("module.", "decoder.") is found and taken off, and
/// so is one module within a path without which the name is known. Throws InputError that lists every name
/// that is unknown, every parameter that is missing, and every one given twice. Attributes that are not
/// `known` are inferred.
CanonicalParameters canonical_parameters(Layout layout, const BlockDefinition& block,
                                         const std::map<std::string, Tensor>& theirs,
                                         const Attributes& known);

/// Of a whole model's parameters those that the block may have: of names that are known behind the prefix
/// which most of them share.
std::map<std::string, Tensor> parameters_in_model(Layout layout, const BlockDefinition& block,
                                                  const std::map<std::string, Tensor>& theirs,
                                                  const Attributes& known);

}  // namespace deformdiff
