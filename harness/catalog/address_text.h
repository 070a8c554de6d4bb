// The text of an address that says where something lies and how it is to be taken:
// "scheme:FILE#TAG?key=value&...".
#pragma once

#include "core/declaration.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

struct Address {
  std::filesystem::path file;                   ///< or what the scheme has in its place
  std::string tag;                              ///< empty if there is none
  std::map<std::string, std::string> settings;  ///< by key, those of the scheme; no empty values
  Declaration declared;
};

/// What stands for an address's own signs in its parts is "%" and two digits, so that any path can be named.
std::string address_text(std::string_view scheme, const Address& address);

/// `scheme` is that of the text, its colon included. Throws InputError naming the address for a bad
/// declaration, and for a key that is neither one of `keys` nor one of a declaration.
Address split_address(const std::string& typed, std::string_view scheme,
                      const std::vector<std::string>& keys);

/// The same; throws InputError also for a file that is not there.
Address parse_address(const std::string& typed, std::string_view scheme,
                      const std::vector<std::string>& keys);

}  // namespace deformdiff
