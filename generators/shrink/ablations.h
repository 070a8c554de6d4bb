// Ablations made of changes of a draft.
#pragma once

#include "core/ablation.h"
#include "generators/shrink/axis_steps.h"
#include "generators/shrink/steps.h"

#include <functional>
#include <string>

namespace deformdiff {

/// The ways to a draft without a property, as a step of it; a draft that lacks the property is its own way.
using WaysWithout = std::function<Step(const Draft&)>;

/// An ablation of cases of the block, which must outlive it. What a storage layout would undo, as a repeated
/// axis undoes that of single elements, is no way.
Ablation ablation(const BlockDefinition& block, std::string words, WaysWithout ways);

/// The step of a single way.
Step one_way(std::function<std::optional<Draft>(const Draft&)> change);

/// Each index of the axis alone.
Step one_of(const ShrinkAxis& axis);

}  // namespace deformdiff
