// A bug report for the people who wrote an implementation.
#pragma once

#include "cli/emit/evidence.h"

#include <string>

namespace deformdiff::cli {

/// Markdown, ready to be pasted: what and where, expected and got, environment, and the script that shows it.
std::string issue_text(const Evidence& evidence, const std::string& script);

}  // namespace deformdiff::cli
