// Numbers of a run as small drawings.
#pragma once

#include "engine/error_places.h"
#include "engine/ratio_histogram.h"
#include "engine/session_report.h"

#include <string>

namespace deformdiff::html {

/// How many elements came how near their bound: a bar an octave of error / bound, its height by the logarithm
/// of the count. "" where there is none.
std::string ratio_chart(const RatioHistogram& ratios, const std::string& whose);

/// Where errors sit on one grid, beside elements drawn at random from the same outputs.
struct PlaceChart {
  std::string figure;       ///< empty where there are too few of both
  bool stands_out = false;  ///< whether errors and drawn elements stand in other places
};
PlaceChart place_chart(const std::string& grid, const PlaceCounts& counts);

/// A bar of a run's seconds, with its key. "" where nothing was measured.
std::string time_chart(const TimeSplit& split);

}  // namespace deformdiff::html
