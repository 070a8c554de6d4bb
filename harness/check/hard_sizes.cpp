#include "check/hard_sizes.h"

namespace deformdiff {
namespace {

ReplaySizes all_of(std::size_t levels, LevelSize level, LevelSize finest) {
  return {2, std::vector<LevelSize>(levels, level), finest};
}

/// The last level is as large as the finest map.
ReplaySizes of_one_large(std::size_t levels, LevelSize level, LevelSize large) {
  ReplaySizes sizes = all_of(levels, level, large);
  if (levels > 0) sizes.levels.back() = large;
  return sizes;
}

}  // namespace

ReplaySizes small_sizes(std::size_t levels) {
  ReplaySizes sizes = all_of(levels, {}, {7, 10});
  std::int64_t more = 0;
  for (LevelSize& level : sizes.levels) {
    level = {2 + more, 4 + more};
    ++more;
  }
  return sizes;
}

ReplaySizes levels_of_one_row(std::size_t levels) {
  ReplaySizes sizes = small_sizes(levels);
  for (LevelSize& level : sizes.levels) level.height = 1;
  return sizes;
}

ReplaySizes levels_of_one_column(std::size_t levels) {
  ReplaySizes sizes = small_sizes(levels);
  for (LevelSize& level : sizes.levels) level.width = 1;
  return sizes;
}

ReplaySizes levels_of_one_pixel(std::size_t levels) {
  return all_of(levels, {1, 1}, {2, 3});
}

ReplaySizes finest_of_one_row(std::size_t levels) {
  ReplaySizes sizes = small_sizes(levels);
  sizes.finest.height = 1;
  return sizes;
}

ReplaySizes finest_of_one_column(std::size_t levels) {
  ReplaySizes sizes = small_sizes(levels);
  sizes.finest.width = 1;
  return sizes;
}

ReplaySizes same_everywhere(std::size_t levels) {
  return all_of(levels, {3, 4}, {3, 4});
}

ReplaySizes levels_half_as_large(std::size_t levels) {
  return all_of(levels, {3, 4}, {6, 8});
}

ReplaySizes levels_twice_as_large(std::size_t levels) {
  return all_of(levels, {6, 8}, {3, 4});
}

ReplaySizes of_many_rows(std::size_t levels) {
  return of_one_large(levels, {1, 2}, {260, 2});
}

ReplaySizes of_many_columns(std::size_t levels) {
  return of_one_large(levels, {2, 1}, {2, 260});
}

ReplaySizes of_very_many_rows(std::size_t levels) {
  return of_one_large(levels, {1, 2}, {2100, 1});
}

ReplaySizes of_very_many_columns(std::size_t levels) {
  return of_one_large(levels, {2, 1}, {1, 2100});
}

ReplaySizes of_257_pixels(std::size_t levels) {
  return all_of(levels, {1, 257}, {1, 257});
}

ReplaySizes twin_levels(std::size_t levels) {
  ReplaySizes sizes = all_of(levels, {3, 5}, {6, 9});
  for (std::size_t l = 1; l < levels; l += 2) sizes.levels[l] = {5, 3};
  return sizes;
}

}  // namespace deformdiff
