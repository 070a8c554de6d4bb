// The numbered rules of oracles/README.md, for people.
#pragma once

#include <array>
#include <string_view>

namespace deformdiff::cli {

/// By number, from 1.
constexpr std::array<std::string_view, 8> kRules{
    "the implementation returned",
    "shapes and dtypes are those that the block defines",
    "nothing was written outside, everything inside, and no input or earlier result changed",
    "NaN and infinities are where they are due, and only there",
    "every element lies in its admissible set",
    "a second run gives the same bits, where determinism is declared",
    "the case could have shown a fault",
    "with bound=none: relations between answers hold within the implementation's own noise",
};

}  // namespace deformdiff::cli
