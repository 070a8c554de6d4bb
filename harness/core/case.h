// One fully explicit problem.
#pragma once

#include "core/attributes.h"
#include "core/tensor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// Where a case came from: help for people, never needed to run it.
struct Provenance {
  std::string generator;  ///< e.g. "fuzz", "hand-written", "shrunk"
  std::string tier;
  std::uint64_t seed = 0;
  std::uint64_t index = 0;
  friend bool operator==(const Provenance&, const Provenance&) = default;
};

/// Block, attributes and inputs: everything an implementation is given. An immutable value; copying is
/// cheap because tensors share their storage. A module's parameters are inputs named "param.NAME".
struct Case {
  std::string block;
  Attributes attributes;
  std::vector<NamedTensor> inputs;
  Provenance provenance;

  /// Throws InputError naming the block and the input if there is none of that name.
  const Tensor& input(std::string_view name) const;
  const Tensor* find_input(std::string_view name) const;  ///< nullptr if there is none of that name

  /// Throws InputError naming the block and the attribute if there is none of that name.
  double number(const std::string& name) const;
  /// The same of an attribute that must be a whole number below 2^53.
  std::int64_t attribute(const std::string& name) const;

  friend bool operator==(const Case&, const Case&) = default;
};

/// Elements of all inputs together (views, not storage): the size that shrinking reports.
std::int64_t element_count(const Case& c);

/// Bytes of the storage of all inputs.
std::int64_t storage_bytes(const Case& c);

/// Bytes of all inputs, each in contiguous storage of its own.
std::int64_t dense_bytes(const Case& c);

}  // namespace deformdiff
