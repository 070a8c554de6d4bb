#include "cli/bisect_versions.h"

#include "core/comma_list.h"
#include "core/error.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

bool has_scheme(std::string_view text) {
  const std::size_t letters = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
  return letters != std::string_view::npos && letters > 0 && text[letters] == ':';
}

/// A name without '/' and scheme behind a '?' is part of that declaration, as in ?dtypes=float32,float64.
std::vector<std::string> split_versions(const std::string& typed) {
  std::vector<std::string> versions;
  for (std::string& part : split_at_commas(typed)) {
    const bool goes_on = !versions.empty() && versions.back().find('?') != std::string::npos &&
                         !has_scheme(part) && part.find('/') == std::string::npos;
    if (goes_on) {
      versions.back() += "," + part;
    } else {
      versions.push_back(std::move(part));
    }
  }
  return versions;
}

bool is_file(const std::string& version) {
  const std::filesystem::path path = version;
  return !has_scheme(version) &&
         (path.extension() == ".so" || path.extension() == ".pt" || std::filesystem::is_regular_file(path));
}

/// The file that an address names; empty where it names none, or what it names need not be a file.
std::string file_of(const std::string& address) {
  const std::size_t colon = address.find(':');
  const std::string file = address.substr(colon + 1, address.find_first_of("#?", colon) - colon - 1);
  const bool names_file =
      address.starts_with("torchop:") || (address.starts_with("python:") && file.ends_with(".py"));
  return names_file ? file : "";
}

std::string with_file(const std::string& address, const std::string& file) {
  if (!has_scheme(address)) {
    throw InputError(fmt::format(
        "--versions {}: a file is wanted by an address alone, and the case is of {}: name the whole address",
        file, address.empty() ? "no implementation" : address));
  }
  if (file.find_first_of("%#?&") != std::string::npos) {
    throw InputError(
        fmt::format("--versions {}: holds a sign of addresses (% # ? &): name the whole address", file));
  }
  const std::size_t begin = address.find(':') + 1;
  const std::size_t end = std::min(address.find_first_of("#?", begin), address.size());
  return address.substr(0, begin) + file + address.substr(end);
}

}  // namespace

std::vector<Version> parse_versions(const std::string& typed, const std::string& address) {
  std::vector<Version> versions;
  for (const std::string& version : split_versions(typed)) {
    if (version.empty()) throw InputError(fmt::format("--versions {}: an empty one; A,B,C wanted", typed));
    if (is_file(version)) {
      versions.push_back({with_file(address, version), version});
    } else {
      versions.push_back({version, file_of(version)});
    }
  }
  return versions;
}

}  // namespace deformdiff::cli
