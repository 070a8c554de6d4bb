// Recorded tensors, judged like any implementation. Needs no worker.
#pragma once

#include "core/declaration.h"
#include "core/verdict.h"
#include "engine/compare.h"
#include "recorded/recording.h"
#include "recorded/recording_options.h"
#include "reports/run_report.h"

#include <filesystem>
#include <string>

namespace deformdiff {

struct JudgeRequest {
  std::filesystem::path file;  ///< or a folder of such files
  std::string block;           ///< empty: the metadata's
  RecordingOptions options;
  Declaration declared{};  ///< of what computed the file
  int threads = 1;
  std::filesystem::path findings;  ///< folder for the cases of what is found
};

/// Each run of the file as a subject of its own, and its stages as scenarios. Of a folder's safetensors files
/// the runs of one name are one subject, whose failures of one signature are one finding; a file without
/// outputs is not run, and stages are no scenarios. Throws InputError naming the file and what is wrong with
/// it or with the request.
RunReport judge_recording(const JudgeRequest& request);

/// Why a run is not judged, as a verdict with its reason; without reason if it is.
Comparison unjudged(const RecordedRun& run);

}  // namespace deformdiff
