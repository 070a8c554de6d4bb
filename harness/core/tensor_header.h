// The JSON header of a safetensors file, which wire frames share:
//   {"__metadata__": {"key": "text", ...},
//    "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
#pragma once

#include "core/tensor.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

struct TensorEntry {
  std::string name;
  DType dtype;
  Shape shape;
  std::size_t begin = 0;  ///< bytes from the start of the data
  std::size_t end = 0;
  /// The integers narrower than int64, `dtype`, that the data are; empty where they are of `dtype` itself.
  std::string narrow{};
  friend bool operator==(const TensorEntry&, const TensorEntry&) = default;
};

struct TensorHeader {
  std::map<std::string, std::string> metadata;
  std::vector<TensorEntry> tensors;
  friend bool operator==(const TensorHeader&, const TensorHeader&) = default;
};

/// An integer dtype of the format that has no DType: its numbers are numbers of int64.
struct NarrowInteger {
  std::string_view name;  ///< "I32"
  std::size_t size;
  bool is_signed;
};
const NarrowInteger* find_narrow_integer(std::string_view name);  ///< nullptr if it is none

/// Tensors of dtypes that we do not know, with the name of the dtype.
using UnknownDTypes = std::map<std::string, std::string>;

/// Entries come sorted by name. Throws InputError naming the tensor and the field for anything but a header
/// each of whose entries has exactly the bytes that its dtype and shape need, inside `data_size` bytes. Safe
/// for any text; allocates in proportion to it. A dtype that we do not know is refused as well; with
/// `unknown`, narrow integers are entries too, and tensors of other dtypes are noted there and left out.
TensorHeader parse_tensor_header(std::string_view json, std::size_t data_size,
                                 UnknownDTypes* unknown = nullptr);

/// Entries in the order given.
std::string format_tensor_header(const TensorHeader& header);

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& json, std::string_view text);

/// The next member's name, behind the text of an object so far.
void append_key(std::string& object, std::string_view key);

}  // namespace deformdiff
