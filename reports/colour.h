// Colours of a terminal.
#pragma once

#include <string>

namespace deformdiff {

enum class Colour { kBad, kGood, kNote, kQuiet };

/// The text between the escape sequences (ECMA-48, SGR) of a colour, or as it is unless `wanted`; line feeds
/// at its end stay outside.
std::string coloured(std::string text, Colour colour, bool wanted);

/// Whether what is written to this descriptor is to be in colour: it is a terminal that knows them, and the
/// environment has no NO_COLOR (no-color.org).
bool wants_colour(int descriptor);

}  // namespace deformdiff
