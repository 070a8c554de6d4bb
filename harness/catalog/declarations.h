// What is declared of an implementation, checked against the blocks that there are.
#pragma once

#include "core/declaration.h"
#include "engine/subject.h"

#include <string_view>

namespace deformdiff {

/// As parse_declaration(). Throws InputError also where a promise is made of an output that no block has.
Declaration checked_declaration(std::string_view text);

/// The implementation declares this of itself. What declares no bound is run on related cases too.
void declare(const Declaration& declaration, SubjectSpec& spec);

}  // namespace deformdiff
