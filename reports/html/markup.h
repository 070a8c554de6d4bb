// Pieces of HTML and SVG that every section uses.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::html {

/// As text or as an attribute's value in double quotes; never markup.
std::string escaped(std::string_view text);

/// A number for people: nine digits at most, "NaN", "inf".
std::string number_text(double value);

/// A number for a coordinate of a drawing: two decimals at most, no exponent.
std::string coordinate(double value);

/// "data:application/json;base64,..." of these bytes.
std::string data_uri(std::string_view json);

/// A part of the page with its heading; empty if `content` is. `id` is for links to it.
std::string section(std::string_view id, std::string_view heading, std::string_view content);

/// An inline drawing of this size in pixels: `title` names it and `description` says what it shows, for those
/// who do not see it.
std::string drawing(double width, double height, std::string_view title, std::string_view description,
                    std::string_view content);

/// A drawing with a line below it, which is HTML and may be empty.
std::string figure(std::string_view drawing, std::string_view caption);

/// A table that scrolls sideways where it must. `head` and `body` are rows; the caption is HTML, `style` the
/// table's class.
std::string table(std::string_view caption, std::string_view head, std::string_view body,
                  std::string_view style = "");

/// A column's heading; `numbers` stand at the right.
std::string heading_cell(std::string_view text, bool numbers = false);

/// Text at a point: `style` is its class.
std::string svg_text(double x, double y, std::string_view style, std::string_view text);

}  // namespace deformdiff::html
