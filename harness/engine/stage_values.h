// The values of a block's stages as far as they are known, and what the next stage should make of them.
#pragma once

#include "core/reference.h"
#include "engine/block_entry.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace deformdiff {

/// A value that was not seen is known by draws from its admissible set.
struct StageValue {
  Tensor seen;                ///< the implementation's own, or the middle of the draws
  std::vector<Tensor> draws;  ///< kDraws, then the two ends of the set; empty for a value that was seen
};

/// The admissible sets of stages, by name, that depend on a case's inputs alone: the same for all
/// implementations of one Precision and Contract.
using SharedReferences = std::map<std::string, std::shared_ptr<const Reference>, std::less<>>;

/// What a stage may answer, and how that was found.
struct StageReference {
  std::shared_ptr<const Reference> reference;  ///< one output, by the stage's name, in the stage's own view
  bool estimated = false;                      ///< an input was not seen: the set is estimated from draws
  /// As StageValue's, for the middle of the inputs and their draws; empty unless estimated.
  StageValue drawn;
};

bool depends_on_inputs_alone(const Stage& stage, const Case& c);

/// The 16-bit type that stages' values may have where the block does not say which have it: under autocast,
/// and of tensors of mixed types. None where each value's type follows from the case: of any other run, and
/// of blocks whose stages do not feed one another.
std::optional<DType> free_type(const Block& block, const Case& c, const Precision& precision);

/// Those of every stage that depends on the case's inputs alone; none where types are free.
SharedReferences shared_references(const BlockEntry& entry, const Case& c, const Precision& precision,
                                   const Contract& contract, int threads);

/// Evaluates stages one after the other on the values that an implementation showed, and on draws where it
/// showed none. Draws and estimates: oracles/README.md, "Estimated bounds".
class StageValues {
 public:
  /// All of them must outlive this. What `shared` holds is not evaluated again; it may be null.
  StageValues(const BlockEntry& entry, const Case& c, const Precision& precision, const Contract& contract,
              int threads, const SharedReferences* shared = nullptr);

  /// The stage with the dtype that it computes in. Where types are free that is the dtype of `seen`, its
  /// value, if it may have it; of a value that is not seen or is no number (`seen` is null, or a mask) that
  /// which follows from its inputs. Requires values for all its inputs.
  Stage typed(Stage stage, const Tensor* seen) const;

  /// The stage's admissible set. Requires values for all its inputs.
  StageReference refer(const Stage& stage) const;

  /// From now on the stage has this value.
  void set_seen(const Stage& stage, Tensor value);

  /// From now on it has the middle of its set, as if it had been seen.
  void set_middle(const Stage& stage, const StageReference& reference);

  /// From now on it has draws from this set.
  void set_drawn(const Stage& stage, const StageReference& reference);

  /// No later stage needs this value.
  void forget(const std::string& name) { values_.erase(name); }

  /// The case of the stage's operation on the values that are there.
  Case stage_case(const Stage& stage) const;

 private:
  const StageValue& value(const std::string& name) const;
  Case case_of_draw(const Stage& stage, std::size_t draw) const;
  /// The set of a value that is not seen, from that of the stored one: where a graph fuses what follows with
  /// it, it may never have been rounded to 16 bits.
  OutputReference unseen(const Stage& stage, Case stage_case, OutputReference stored) const;
  Reference evaluate(const Stage& stage, const Case& stage_case) const;
  /// Widens the reference of the middle by what the draws of the inputs make of it; returns the middle and
  /// draws of the value.
  StageValue estimate(const Stage& stage, Reference& reference) const;

  const BlockEntry& entry_;
  const Precision& precision_;
  const Contract& contract_;
  int threads_;
  const SharedReferences* shared_;
  std::optional<DType> free_;
  std::map<std::string, StageValue, std::less<>> values_;
};

}  // namespace deformdiff
