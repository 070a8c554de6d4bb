#include "blocks/layouts/parameters.h"

#include "blocks/layouts/inference.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

/// A wrong layout or block makes hundreds of them.
std::string first_few(const std::vector<std::string>& names) {
  constexpr std::size_t kFew = 4;
  if (names.size() <= kFew) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kFew, ", "),
                     names.size() - kFew);
}

/// What stands before most of the names, so that the rest of each is one we know: "" or up to a dot.
std::string common_prefix(const LayoutNames& names, const std::map<std::string, Tensor>& theirs) {
  std::map<std::string, std::size_t> votes;
  for (const auto& [name, tensor] : theirs) {
    std::size_t begin = 0;
    while (true) {
      if (!names.parameters(std::string_view(name).substr(begin)).empty()) ++votes[name.substr(0, begin)];
      const std::size_t dot = name.find('.', begin);
      if (dot == std::string::npos) break;
      begin = dot + 1;
    }
  }
  std::string best;
  std::size_t most = 0;
  for (const auto& [prefix, count] : votes) {
    if (count > most || (count == most && prefix.size() < best.size())) {
      best = prefix;
      most = count;
    }
  }
  return best;
}

/// The path's module, with its dot, without which the name is one that we know: begin and end; nothing if
/// there is none.
std::optional<std::pair<std::size_t, std::size_t>> wrapper_in(const LayoutNames& names,
                                                              const std::string& name) {
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t dot = name.find('.', begin);
    if (dot == std::string::npos) break;
    if (!names.parameters(name.substr(0, begin) + name.substr(dot + 1)).empty())
      return std::pair(begin, dot + 1);
    begin = dot + 1;
  }
  return std::nullopt;
}

/// No name is one that we know, behind the prefix or with a module of its path left out.
bool is_known_nowhere(const LayoutNames& names, const std::string& prefix,
                      const std::map<std::string, Tensor>& theirs) {
  return std::ranges::none_of(theirs, [&](const auto& parameter) {
    const std::string path = parameter.first.substr(prefix.size());
    return parameter.first.starts_with(prefix) &&
           (!names.parameters(path).empty() || wrapper_in(names, path).has_value());
  });
}

/// Parts of a head under attributes of a wrapper, "pix." and "cls.", and what they are in the framework:
/// the one place where all names of a part are known and not yet taken, the part with most names first.
std::map<std::string, std::string> components(Layout layout, const BlockDefinition& block,
                                              const Attributes& known, const std::string& prefix,
                                              const std::map<std::string, Tensor>& theirs) {
  const LayoutNames names(layout, block, known);
  std::map<std::string, std::vector<std::string>> parts;  // names behind the part's own
  for (const auto& [name, tensor] : theirs) {
    const std::string path = name.substr(prefix.size());
    const std::size_t dot = path.find('.') + 1;
    parts[path.substr(0, dot)].push_back(path.substr(dot));
  }
  std::vector<std::string> by_size;
  for (const auto& [part, rest] : parts) by_size.push_back(part);
  std::ranges::stable_sort(by_size, std::ranges::greater{},
                           [&](const std::string& part) { return parts.at(part).size(); });
  std::set<std::string> places{""};
  for (const TensorSpec& spec : block.tensors(block.default_attributes())) {
    if (!spec.is_parameter()) continue;
    const std::string full = names.their_parameter(spec.name.substr(kParameterPrefix.size())).value_or("");
    for (std::size_t dot = full.find('.'); dot != std::string::npos; dot = full.find('.', dot + 1)) {
      places.insert(full.substr(0, dot + 1));
    }
  }
  std::map<std::string, std::string> found;
  std::set<std::string> taken;
  for (const std::string& part : by_size) {
    std::vector<std::string> fitting;
    for (const std::string& place : places) {
      const bool fits = std::ranges::all_of(parts.at(part), [&](const std::string& rest) {
        const std::vector<LayoutEntry> entries = names.parameters(place + rest);
        return !entries.empty() && !taken.contains(entries.front().ours);
      });
      if (fits) fitting.push_back(place);
    }
    // Several: a linear layer is like another. The shortest path is a part of the model, not of a layer.
    if (fitting.empty()) continue;
    const std::string place = *std::ranges::min_element(fitting, {}, &std::string::size);
    found.emplace(part, place);
    for (const std::string& rest : parts.at(part)) {
      for (const LayoutEntry& entry : names.parameters(place + rest)) taken.insert(entry.ours);
    }
  }
  return found;
}

}  // namespace

std::string leading_module(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string common = names.front();
  for (const std::string& name : names) common.erase(std::ranges::mismatch(common, name).in1, common.end());
  return common.substr(0, common.rfind('.') + 1);
}

std::string unwrapped(const CanonicalParameters& parameters, const std::string& path) {
  for (const auto& [wrapped, plain] : parameters.wrappers) {
    if (path.starts_with(wrapped)) return plain + path.substr(wrapped.size());
  }
  return path;
}

CanonicalParameters canonical_parameters(Layout layout, const BlockDefinition& block,
                                         const std::map<std::string, Tensor>& theirs,
                                         const Attributes& known) {
  const LayoutNames names(layout, block, known);
  CanonicalParameters result{{}, common_prefix(names, theirs), {}};
  if (is_known_nowhere(names, result.prefix, theirs)) {
    std::vector<std::string> names_of_theirs;
    for (const auto& [name, tensor] : theirs) names_of_theirs.push_back(name);
    result.prefix = leading_module(names_of_theirs);
    result.wrappers = components(layout, block, known, result.prefix, theirs);
  }
  std::vector<std::string> unknown, twice, missing;
  std::map<std::string, std::string> source;
  for (const auto& [name, tensor] : theirs) {
    std::vector<LayoutEntry> entries;
    if (name.starts_with(result.prefix)) {
      const std::string path = name.substr(result.prefix.size());
      entries = names.parameters(unwrapped(result, path));
      if (const auto wrapper = entries.empty() ? wrapper_in(names, path) : std::nullopt) {
        result.wrappers.emplace(path.substr(0, wrapper->second), path.substr(0, wrapper->first));
        entries = names.parameters(unwrapped(result, path));
      }
    }
    if (entries.empty()) unknown.push_back(name);
    for (const LayoutEntry& entry : entries) {
      const auto [at, is_new] = source.emplace(entry.ours, name);
      if (!is_new) twice.push_back(fmt::format("{} (as {} and {})", entry.ours, at->second, name));
      if (is_new)
        result.tensors.push_back(
            {std::string(kParameterPrefix) + entry.ours, to_ours({name, entry.ours, entry.how}, tensor, {})});
    }
  }
  const Attributes attributes = infer_attributes(layout, block, shapes_of(result.tensors), known).attributes;
  std::set<std::string> wanted;
  for (const TensorSpec& spec : block.tensors(attributes)) {
    if (!spec.is_parameter()) continue;
    wanted.insert(spec.name);
    const std::string ours = spec.name.substr(kParameterPrefix.size());
    if (spec.optional || source.contains(ours)) continue;
    const std::optional<std::string> their_name = names.their_parameter(ours);
    missing.push_back(result.prefix + their_name.value_or(ours));
  }
  for (const NamedTensor& tensor : result.tensors) {
    if (!wanted.contains(tensor.name))
      unknown.push_back(source.at(tensor.name.substr(kParameterPrefix.size())));
  }
  // Parts of one packed tensor are missing, or unknown, together.
  for (std::vector<std::string>* list : {&missing, &unknown}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  std::vector<std::string> complaints;
  if (!unknown.empty()) complaints.push_back(fmt::format("unknown: {}", first_few(unknown)));
  if (!missing.empty()) complaints.push_back(fmt::format("missing: {}", first_few(missing)));
  if (!twice.empty()) complaints.push_back(fmt::format("given twice: {}", fmt::join(twice, ", ")));
  if (!complaints.empty()) {
    throw InputError(fmt::format("block {}: parameters by {}'s names: {}", block.name(), name_of(layout),
                                 fmt::join(complaints, "; ")));
  }
  return result;
}

std::map<std::string, Tensor> parameters_in_model(Layout layout, const BlockDefinition& block,
                                                  const std::map<std::string, Tensor>& theirs,
                                                  const Attributes& known) {
  const LayoutNames names(layout, block, known);
  const std::string prefix = common_prefix(names, theirs);
  std::map<std::string, Tensor> found;
  for (const auto& [name, tensor] : theirs) {
    if (name.starts_with(prefix) && !names.parameters(name.substr(prefix.size())).empty())
      found.emplace(name, tensor);
  }
  return found;
}

}  // namespace deformdiff
