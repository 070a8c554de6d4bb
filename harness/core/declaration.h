// What an address declares of an implementation: "?key=value&..." behind torchop:FILE.so#ns.
#pragma once

#include "core/subject_info.h"

#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

struct Declaration {
  /// A key with its value, both known to be allowed.
  struct Setting {
    std::string key, value;
  };
  std::vector<Setting> settings;  ///< in the order in which they were written

  const std::string* find(std::string_view key) const;  ///< its value; nullptr if it was not written
};

/// `text` is what stands behind the '?', possibly empty. Throws InputError naming the key or value and
/// listing those allowed.
Declaration parse_declaration(std::string_view text);

/// Sets what the declaration says; the rest keeps what the implementation says of itself, or the default.
void apply(const Declaration& declaration, SubjectInfo& info);

/// What an address would declare to describe this implementation.
std::string declaration_of(const SubjectInfo& info);

/// For `list addresses`: a key and its values, the default first.
struct DeclarationKey {
  std::string key;
  std::string values;
  std::string meaning;
};
std::vector<DeclarationKey> declaration_keys();

}  // namespace deformdiff
