#include "blocks/layouts/rearrangement.h"

#include "core/error.h"
#include "core/view.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

namespace deformdiff {
namespace {

/// The view that makes `theirs` ours; nullopt where its shape does not do.
std::optional<View> view_to_ours(Rearrangement how, const Shape& theirs, const Shape& ours) {
  const std::size_t rank = theirs.size();
  const auto third = [&](std::int64_t part) -> std::optional<View> {
    if (rank < 1 || theirs[0] % 3 != 0) return std::nullopt;
    return View{narrow(0, part * (theirs[0] / 3), theirs[0] / 3)};
  };
  switch (how) {
    case Rearrangement::kNone:
      return View{};
    case Rearrangement::kSwapped: {
      if (rank < 2) return std::nullopt;
      Shape axes(rank);
      for (std::size_t i = 0; i < rank; ++i) axes[i] = static_cast<std::int64_t>(i);
      std::swap(axes[0], axes[1]);
      return View{permute(std::move(axes))};
    }
    case Rearrangement::kMapToSequence:
      if (rank != 4) return std::nullopt;
      return View{reshape({theirs[0], theirs[1], theirs[2] * theirs[3]}), permute({0, 2, 1})};
    case Rearrangement::kChannelsInMiddle:
      if (rank != 3) return std::nullopt;
      return View{permute({2, 0, 1})};
    case Rearrangement::kHeadsApart: {
      if (rank != 3 || ours.size() != 3 || theirs[2] == 0 || ours[2] % theirs[2] != 0) return std::nullopt;
      const std::int64_t heads = ours[2] / theirs[2];
      if (theirs[0] != ours[0] * heads || theirs[1] != ours[1]) return std::nullopt;
      return View{reshape({ours[0], heads, theirs[1], theirs[2]}), permute({0, 2, 1, 3}), reshape(ours)};
    }
    case Rearrangement::kOneForAllImages:
      if (theirs == ours) return View{};
      if (rank != 2 || ours.size() != 3 || theirs[0] != ours[1] || theirs[1] != ours[2]) return std::nullopt;
      return View{reshape({1, theirs[0], theirs[1]}), expand(ours)};
    case Rearrangement::kOneForEachHead: {
      if (theirs == ours) return View{};
      if (rank != 3 || ours.size() != 4 || theirs[1] != ours[1] || theirs[2] != ours[2] * ours[3])
        return std::nullopt;
      if (ours[0] == 0 || theirs[0] == 0 || theirs[0] % ours[0] != 0) return std::nullopt;
      return View{reshape({ours[0], theirs[0] / ours[0], theirs[1], theirs[2]}), narrow(1, 0, 1),
                  reshape(ours)};
    }
    case Rearrangement::kFirstThird:
      return third(0);
    case Rearrangement::kSecondThird:
      return third(1);
    case Rearrangement::kLastThird:
      return third(2);
  }
  return std::nullopt;
}

}  // namespace

Tensor to_ours(const LayoutEntry& entry, const Tensor& theirs, const Shape& ours) {
  const std::optional<View> view = view_to_ours(entry.how, theirs.shape(), ours);
  if (!view) {
    const std::string wanted = ours.empty() ? "" : " of shape " + to_string(ours);
    throw InputError(fmt::format("{}: shape {} found, which cannot be seen as our {}{}", entry.theirs,
                                 to_string(theirs.shape()), entry.ours, wanted));
  }
  return rearranged(theirs, *view);
}

Tensor to_theirs(const LayoutEntry& entry, const Tensor& ours) {
  // Swapping two axes is its own way back.
  DEFORMDIFF_CHECK(entry.how == Rearrangement::kNone || entry.how == Rearrangement::kSwapped);
  return to_ours(entry, ours, {});
}

}  // namespace deformdiff
