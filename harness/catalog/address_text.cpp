#include "catalog/address_text.h"

#include "catalog/declarations.h"
#include "core/error.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// The signs of an address, and '%' itself.
constexpr std::string_view kSigns = "%#?&";

std::string encoded(std::string_view text) {
  std::string result;
  for (const char sign : text) {
    result += kSigns.find(sign) == std::string_view::npos ? std::string(1, sign)
                                                          : fmt::format("%{:02X}", static_cast<int>(sign));
  }
  return result;
}

/// Takes back what encoded() does, and leaves any other '%' as it is.
std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    const std::string_view digits = text.substr(std::min(i + 1, text.size()), 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    const bool is_sign = text[i] == '%' && digits.size() == 2 && error == std::errc() &&
                         end == digits.data() + 2 &&
                         kSigns.find(static_cast<char>(code)) != std::string_view::npos;
    result += is_sign ? static_cast<char>(code) : text[i];
    if (is_sign) i += 2;
  }
  return result;
}

/// What stands behind the '?'.
void take_settings(std::string_view text, const std::vector<std::string>& keys, Address& address) {
  std::string declared;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view item = text.substr(0, end);
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string key(item.substr(0, equals));
    if (std::ranges::find(keys, key) != keys.end()) {
      const std::string value = decoded(item.substr(std::min(equals + 1, item.size())));
      if (value.empty()) throw InputError(fmt::format("{}= is empty", key));
      if (!address.settings.emplace(key, value).second)
        throw InputError(fmt::format("{} is given twice", key));
    } else {
      declared += (declared.empty() ? "" : "&") + std::string(item);
    }
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  try {
    address.declared = checked_declaration(declared);
  } catch (const InputError& error) {
    const std::string beside =
        keys.empty() ? "" : fmt::format("; beside those it takes {}", fmt::join(keys, " "));
    throw InputError(error.what() + beside);
  }
}

}  // namespace

std::string address_text(std::string_view scheme, const Address& address) {
  std::string text = std::string(scheme) + encoded(address.file.string());
  if (!address.tag.empty()) text += "#" + encoded(address.tag);
  char sign = '?';
  const auto add = [&](const std::string& key, const std::string& value) {
    text += fmt::format("{}{}={}", sign, key, value);
    sign = '&';
  };
  for (const auto& [key, value] : address.settings) add(key, encoded(value));
  for (const auto& [key, value] : address.declared.settings) add(key, value);
  return text;
}

Address split_address(const std::string& typed, std::string_view scheme,
                      const std::vector<std::string>& keys) {
  std::string_view text = std::string_view(typed).substr(scheme.size());
  Address address;
  try {
    if (const std::size_t question = text.find('?'); question != std::string_view::npos) {
      take_settings(text.substr(question + 1), keys, address);
      text = text.substr(0, question);
    }
  } catch (const InputError& error) {
    throw InputError(fmt::format("subject '{}': {}", typed, error.what()));
  }
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    address.tag = decoded(text.substr(hash + 1));
    text = text.substr(0, hash);
  }
  address.file = decoded(text);
  return address;
}

Address parse_address(const std::string& typed, std::string_view scheme,
                      const std::vector<std::string>& keys) {
  Address address = split_address(typed, scheme, keys);
  if (!std::filesystem::is_regular_file(address.file)) {
    throw InputError(fmt::format("subject '{}': there is no file {}", typed, address.file.string()));
  }
  return address;
}

}  // namespace deformdiff
