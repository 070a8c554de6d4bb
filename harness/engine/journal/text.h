// The records of a journal as JSON.
#pragma once

#include "core/strict_json.h"
#include "engine/journal/records.h"

namespace deformdiff {

/// The second of each pair throws nlohmann::json::exception for what the first did not write.
Json json_of(const RunRecord& run);
RunRecord run_from(const Json& json);

Json json_of(const BlockRecord& block);
BlockRecord block_from(const Json& json);

Json json_of(const SubjectRecord& subject);
SubjectRecord subject_from(const Json& json);

/// All but the cases themselves.
Json json_of(const CountedCases& counted);
CountedCases counted_from(const Json& json);

/// All but the cases themselves.
Json json_of(const DrawnCases& drawn);
DrawnCases drawn_from(const Json& json);

/// All but its block and the cases themselves.
Json json_of(const Canary& canary);
Canary canary_from(const Json& json);

Json json_of(const Signature& signature);
Signature signature_from(const Json& json);

Json json_of(const NumberKinds& kinds);
NumberKinds kinds_from(const Json& json);

/// All but its count, which the cases tell. The path of its case is the file's name alone; its smallest case
/// is in that file.
Json json_of(const FindingRecord& finding);
FindingRecord finding_from(const Json& json);

}  // namespace deformdiff
