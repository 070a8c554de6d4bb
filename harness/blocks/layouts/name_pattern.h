// Names with numbers in them: "layers.{i}.norm1" stands for layers.0.norm1, layers.1.norm1 and so on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff {

/// A name whose parts in braces stand for numbers: {i} for any, {2k} for even and {2k+1} for odd ones. One
/// letter stands for one number throughout a name.
class NamePattern {
 public:
  using Numbers = std::map<char, std::int64_t>;

  explicit NamePattern(std::string_view text);

  /// What the letters stand for in `name`; nullopt if it is not of this pattern.
  std::optional<Numbers> match(std::string_view name) const;

  /// The name for these numbers; a letter that has none stands for 0.
  std::string name(const Numbers& numbers) const;

 private:
  /// Literal text, and the number behind it: factor * letter + addend; no number where letter is 0.
  struct Piece {
    std::string text;
    char letter = 0;
    std::int64_t factor = 1, addend = 0;
  };

  std::vector<Piece> pieces_;
};

}  // namespace deformdiff
