// A recorded run as an implementation that has the answers to its own inputs, so that saved cases of it are
// replayed and explained as any other.
#pragma once

#include "core/declaration.h"
#include "engine/findings.h"
#include "engine/subject.h"
#include "recorded/recording_options.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace deformdiff {

/// What is known of a recorded run before it is declared: it may have mixed types.
SubjectInfo recorded_info(const std::string& name, const BlockDefinition& block);

/// recorded:FILE#TAG?block=BLOCK&layout=LAYOUT&map=OURS:THEIRS,...&DECLARATION
constexpr std::string_view kRecordedScheme = "recorded:";

/// Throws InputError for an address that is none, and for a file that is not there.
SubjectSpec recorded_subject(const std::string& address);

/// Where a run of a file came from.
struct RecordedSource {
  std::filesystem::path file;
  std::string run;  ///< RecordedRun::name
  std::string block;
  Layout layout;
  std::map<std::string, std::string> mapping{};
  Declaration declared{};
};

/// The finding's case, from any folder.
SavedCase recorded_finding(const RecordedSource& source, const Finding& finding, const Case& c,
                           const Comparison& comparison);

}  // namespace deformdiff
