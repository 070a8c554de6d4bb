#include "engine/signature.h"

#include <cctype>

namespace deformdiff {
namespace {

/// Of failures that no single element shows.
constexpr const char* kStructure = "structure";

std::string class_of(const Comparison& comparison) {
  return comparison.element_class.empty() ? kStructure : comparison.element_class;
}

}  // namespace

Signature signature_of(const std::string& block, const std::string& subject, const Comparison& comparison) {
  return {block, subject, std::string(name_of(comparison.verdict)), stage_family(comparison.output),
          class_of(comparison)};
}

bool shows(const Signature& signature, const Comparison& comparison) {
  if (signature.rule != name_of(comparison.verdict)) return false;
  if (signature.output != stage_family(comparison.output)) return false;
  return signature.element_class == class_of(comparison) ||
         comparison.violating_classes.contains(signature.element_class);
}

std::string stage_family(const std::string& stage) {
  std::string family;
  for (std::size_t i = 0; i < stage.size(); ++i) {
    const bool starts = i > 0 && (stage[i - 1] == '.' || stage[i - 1] == '#');
    std::size_t end = i;
    while (end < stage.size() && std::isdigit(static_cast<unsigned char>(stage[end])) != 0) ++end;
    const bool ends = end == stage.size() || stage[end] == '.' || stage[end] == '#';
    if (starts && end > i && ends) {
      family += '*';
      i = end - 1;
    } else {
      family += stage[i];
    }
  }
  return family;
}

}  // namespace deformdiff
