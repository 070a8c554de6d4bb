// The trigger classes, and how triggers.cpp names them.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace deformdiff::ms_deform_attn {

struct ClassRow {
  std::string_view name, description;
  std::string_view tier{};  ///< as TriggerClass's
};

inline constexpr auto kTriggerClasses = std::to_array<ClassRow>(
    {{"batch_zero", "N is 0"},
     {"batch_above_step", "N is greater than im2col_step"},
     {"batch_not_multiple_of_step", "N is greater than im2col_step and no multiple of it"},
     {"batch_above_64", "N is above 64"},
     {"batch_above_1024", "N is above 1024"},
     {"batch_above_65535", "N is above 65535"},
     {"queries_zero", "Q is 0"},
     {"queries_above_1024", "Q is above 1024"},
     {"queries_above_65535", "Q is above 65535"},
     {"extent_zero", "M, D, L or P is 0"},
     {"groups_above_4096", "N*Q*M is above 4096"},
     {"groups_above_65535", "N*Q*M is above 65535"},
     {"threads_above_2m", "N*Q*M*D is above 4096*512"},
     {"heads_above_8", "M is above 8"},
     {"heads_above_32", "M is above 32"},
     {"channels_one", "D is 1"},
     {"channels_odd", "D is odd"},
     {"channels_not_multiple_of_4", "D is no multiple of 4"},
     {"channels_above_32", "D is above 32"},
     {"channels_above_64", "D is above 64"},
     {"channels_above_512", "D is above 512"},
     {"channels_above_1024", "D is above 1024"},
     {"levels_one", "L is 1"},
     {"levels_above_4", "L is above 4"},
     {"levels_above_8", "L is above 8"},
     {"points_one", "P is 1"},
     {"points_above_8", "P is above 8"},
     {"points_above_32", "P is above 32"},
     {"samples_above_64", "L*P is above 64"},
     {"one_pixel_level", "a level of one pixel"},
     {"one_pixel_high", "a level of one row"},
     {"one_pixel_wide", "a level of one column"},
     {"not_square", "a level whose height is not its width"},
     {"transposed_twins", "two levels that differ in orientation alone"},
     {"side_above_256", "a side of more than 256 pixels"},
     {"side_above_32767", "a side of more than 32767 pixels"},
     {"rows_above_65535", "S is above 65535"},
     {"products_above_2_31", "N*Q*M*D*L*P is above 2^31", "huge"},
     {"value_above_2_24_elements", "value has more than 2^24 elements"},
     {"starts_permuted", "level_start_index is not ascending"},
     {"starts_gapped", "rows of value that no level owns"},
     {"starts_overlapping", "two levels share rows of value"},
     {"border_exact", "a location of 0, 1, -0.5/side or (side+0.5)/side"},
     {"border_ulp", "a location 1 to 3 ULPs beside one of these"},
     {"centre_exact", "a location on a pixel's centre"},
     {"centre_ulp", "a location 1 to 3 ULPs beside one"},
     {"below_border_float64", "float64: less than 1e-7 pixels below the far end of the support"},
     {"near_centre_float64", "float64: less than 1e-7 pixels beside a centre"},
     {"negative_fraction", "a pixel coordinate between -1 and 0"},
     {"far_edge", "a pixel coordinate between side-1 and side"},
     {"outside_one_axis", "a point outside along one axis and inside along the other"},
     {"far_outside", "a location beyond -2 or 2"},
     {"huge_location", "a location beyond 1e9"},
     {"wraps_32_bits", "a pixel coordinate that no 32-bit integer holds"},
     {"nan_location", "a NaN among the locations"},
     {"inf_location", "an infinity among the locations"},
     {"weights_unnormalised", "weights whose sum over levels and points is not 1"},
     {"weights_negative", "a negative weight"},
     {"weights_zero", "a weight of zero"},
     {"nan_weight_inside", "a NaN weight on a point inside the map"},
     {"nan_weight_outside", "a NaN weight on a point outside"},
     {"inf_weight", "an infinite weight"},
     {"nan_value", "a NaN in value"},
     {"inf_value", "an infinity in value"},
     {"negative_zero", "a zero of negative sign in value, sampling_loc or attn_weight"},
     {"subnormal", "a subnormal number in value"},
     {"near_overflow", "a number in value within 2^16 of the largest"},
     {"beyond_float16", "a number in value beyond 65504"},
     {"value_not_contiguous", "value is not contiguous"},
     {"loc_not_contiguous", "sampling_loc is not contiguous"},
     {"weight_not_contiguous", "attn_weight is not contiguous"},
     {"index_not_contiguous", "spatial_shapes or level_start_index is not contiguous"},
     {"storage_offset", "an input begins inside its storage"},
     {"expanded", "an input with an axis of stride 0"},
     {"float32", "computed in float32"},
     {"float64", "computed in float64"}});

/// A class by its place, found when compiling: a name that is none does not compile.
struct Trigger {
  consteval Trigger(const char* name) {
    while (kTriggerClasses.at(place).name != name) ++place;
  }
  std::size_t place = 0;
};

}  // namespace deformdiff::ms_deform_attn
