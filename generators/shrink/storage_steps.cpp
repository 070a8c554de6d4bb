#include "generators/shrink/storage_steps.h"

namespace deformdiff {

Step contiguous_everything() {
  return {1, [](const Draft& from, std::int64_t) -> std::optional<Draft> {
            if (from.storage_layouts.empty()) return std::nullopt;
            Draft plain = from;
            plain.storage_layouts.clear();
            return plain;
          }};
}

Step simpler_storage(const Draft& draft, const std::string& input) {
  const auto found = draft.storage_layouts.find(input);
  if (found == draft.storage_layouts.end()) return {0, {}};
  const auto count = static_cast<std::int64_t>(simpler_traits(found->second).size());
  return {count, [input](const Draft& from, std::int64_t which) -> std::optional<Draft> {
            const StorageTraits& old = from.storage_layouts.at(input);
            const StorageTraits traits = simpler_traits(old)[static_cast<std::size_t>(which)];
            const Shape& shape = from.dense.input(input).shape();
            if (complexity(traits, shape) >= complexity(old, shape)) return std::nullopt;
            Draft simpler = from;
            simpler.storage_layouts[input] = traits;
            return simpler;
          }};
}

}  // namespace deformdiff
