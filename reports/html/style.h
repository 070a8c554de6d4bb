// The page's style sheet.
#pragma once

#include <string_view>

namespace deformdiff::html {

/// Light and dark as the reader's system says, down to the width of a phone, and for paper.
std::string_view style_sheet();

}  // namespace deformdiff::html
