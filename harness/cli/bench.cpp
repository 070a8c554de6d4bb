// Times the implementations, the oracle, the isolation and the whole loop, round by round, so that a machine
// that drifts hits all alike.
#include "blocks/ms_deform_attn.h"
#include "catalog/addresses.h"
#include "catalog/catalog.h"
#include "catalog/external_workers.h"
#include "cli/commands.h"
#include "cli/measurements.h"
#include "cli/output.h"
#include "cli/session_options.h"
#include "core/error.h"
#include "core/files.h"
#include "core/sixteen_bits.h"
#include "engine/stage_judge.h"
#include "engine/stopwatch.h"
#include "generators/ms_deform_attn/shapes.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace deformdiff::cli {
namespace {

constexpr std::uint64_t kStandardCases = 128;
constexpr std::size_t kBatch = 32;
constexpr int kIsolationRepeats = 200;
constexpr std::int64_t kMebibyteQueries = (1 << 20) / 8;

/// Runs `work` and returns its seconds.
template <typename Work>
double timed(Work work) {
  const Stopwatch watch;
  work();
  return watch.seconds();
}

/// Whether a worker of another program answers: it has one thread, and may compile for a shape when it first
/// sees it.
bool is_other_program(const std::string& name) {
  return name.starts_with(kPythonScheme) || name.starts_with(kWorkerScheme);
}

Subject open_with_threads(const std::string& name, int threads, const Options& options) {
  SubjectSpec spec = parse_subject(name);
  if (!is_other_program(name))
    spec.command.argv.insert(spec.command.argv.end(), {"--threads", fmt::format("{}", threads)});
  return open_subject(std::move(spec), run_limits_of(options));
}

const Outcome& returned(const Outcome& outcome, const std::string& what) {
  if (outcome.kind != Outcome::Kind::kReturned) {
    throw InputError(fmt::format("bench: {} did not return: {}", what, outcome.message));
  }
  return outcome;
}

bool runs(const Subject& subject, const BlockEntry& entry, const Case& c) {
  return subject.started() && admit(subject.info, *entry.block, c, 0).kind == Outcome::Kind::kReturned;
}

std::vector<std::string> names_of(const Options& options) {
  return options.subjects.empty() ? std::vector<std::string>{"composite", "cpu", "cuda_emulated", "cuda"}
                                  : options.subjects;
}

/// Timed beside our own where python3 has their packages.
constexpr const char* kPeers[] = {"python:deformdiff.adapters.onnxruntime_composite",
                                  "python:deformdiff.adapters.openvino_composite",
                                  "python:deformdiff.adapters.torch_compile"};

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        entry_(find_block("ms_deform_attn")),
        backward_(find_block("ms_deform_attn_backward")) {
    for (const std::string& name : names_of(options)) {
      for (const int threads : is_other_program(name) ? std::vector<int>{1} : thread_counts()) {
        subjects_.emplace_back(threads, open_with_threads(name, threads, options));
      }
    }
    if (options.subjects.empty()) add_peers();
  }

  void round() {
    for (const std::string& shape : ms_deform_attn::model_names()) {
      for (const std::string locations : {"near", "uniform"}) operators(shape, locations, DType::kFloat32);
    }
    for (const std::string shape : {"m2f_enc", "small256"}) {
      for (const DType dtype : {DType::kFloat64, DType::kFloat16, DType::kBFloat16})
        operators(shape, "near", dtype);
    }
    for (auto& [threads, subject] : subjects_) {
      if (threads == 1 && !is_other_program(subject.spec.name)) throughput(subject);
    }
    oracle("small", "small256");
    oracle("m2f", "m2f_enc");
    isolation();
  }

  const Measurements& measurements() const { return measurements_; }
  const TimeSplit& split() const { return split_; }
  std::map<std::string, std::string> notes() const {
    std::map<std::string, std::string> notes = environment_;
    if (!missing_peers_.empty()) notes["peers not there"] = missing_peers_;
    notes["case"] =
        "op: float32 unless the id ends in another type, the worker's own time; throughput: isolation, "
        "bounds and comparison on";
    return notes;
  }

 private:
  std::vector<int> thread_counts() const {
    return options_.threads > 1 ? std::vector<int>{1, options_.threads} : std::vector<int>{1};
  }

  void add_peers() {
    for (const char* name : kPeers) {
      try {
        Subject peer = open_with_threads(name, 1, options_);
        if (peer.started()) {
          subjects_.emplace_back(1, std::move(peer));
          continue;
        }
      } catch (const InputError&) {  // the Python package is not beside this program
      }
      say_missing(name);
    }
  }

  /// Whether it was not asked for: whatever keeps it from running ends nothing.
  bool is_peer(const Subject& subject) const {
    return options_.subjects.empty() && is_other_program(subject.spec.name);
  }

  void say_missing(const std::string& name) {
    if (missing_peers_.find(name) != std::string::npos) return;
    missing_peers_ += fmt::format("{}{}", missing_peers_.empty() ? "" : ", ", name);
  }

  void operators(const std::string& shape, const std::string& locations, DType dtype) {
    const std::string prefix = fmt::format("op/{}/{}/", shape, locations);
    const std::string suffix = dtype == DType::kFloat32 ? "" : fmt::format("/{}", name_of(dtype));
    // Cases of 16 bits are made of float32 cases.
    const DType drawn = is_sixteen_bits(dtype) ? DType::kFloat32 : dtype;
    const auto in_dtype = [&](const BlockEntry& entry, const Case& c) {
      return drawn == dtype ? c : entry.block->converted(c, dtype);
    };
    const Case forward = ms_deform_attn::model_case(shape, locations, drawn, options_.seed);
    const Case backward = ms_deform_attn::backward_case(forward, options_.seed);
    operators(entry_, in_dtype(entry_, forward), prefix + "fwd/", suffix);
    operators(backward_, in_dtype(backward_, backward), prefix + "bwd/", suffix);
  }

  void operators(const BlockEntry& entry, const Case& c, const std::string& prefix,
                 const std::string& suffix) {
    for (auto& [threads, subject] : subjects_) {
      if (!runs(subject, entry, c)) continue;
      const std::vector<Case> calls(is_other_program(subject.spec.name) ? 2 : 1, c);
      const Outcome outcome = subject.runner->run(calls, {}).back();
      if (outcome.kind == Outcome::Kind::kUnsupported) continue;
      if (outcome.kind != Outcome::Kind::kReturned && is_peer(subject)) {
        say_missing(subject.spec.name);
        continue;
      }
      environment_ = subject.runner->environment();
      measurements_.add(fmt::format("{}{}/t{}{}", prefix, subject.spec.name, threads, suffix), "ms",
                        1e3 * returned(outcome, subject.spec.name).seconds);
    }
  }

  /// The whole loop over the distribution `standard`: the worker runs a batch while the oracle works on it.
  void throughput(Subject& subject) {
    double scc = 0;
    const Stopwatch watch;
    for (std::uint64_t first = 0; first < kStandardCases; first += kBatch) {
      std::vector<Case> batch;
      split_.generate += timed([&] {
        for (std::uint64_t i = first; i < first + kBatch; ++i) {
          batch.push_back(ms_deform_attn::standard_case(options_.seed, i));
        }
      });
      if (!runs(subject, entry_, batch.front())) return;
      judge_batch(subject, batch);
      for (const Case& c : batch) {
        scc += static_cast<double>(ms_deform_attn::multiply_adds(ms_deform_attn::parse(c).dims));
      }
    }
    const double seconds = watch.seconds();
    const std::string id = "throughput/standard/fwd/" + subject.spec.name;
    measurements_.add(id, "cases/s", static_cast<double>(kStandardCases) / seconds);
    measurements_.add(id + "/scc", "Mscc/s", scc / seconds / 1e6);
  }

  void judge_batch(Subject& subject, const std::vector<Case>& batch) {
    std::vector<SharedReferences> references;
    const Stopwatch watch;
    subject.runner->start(batch, {});
    const double referred = timed([&] {
      for (const Case& c : batch) {
        references.push_back(shared_references(entry_, c, subject.info.precision, subject.info.contract, 1));
      }
    });
    const std::vector<Outcome> outcomes = subject.runner->finish();
    const double both = watch.seconds();
    double ran = 0;
    for (const Outcome& outcome : outcomes) ran += returned(outcome, subject.spec.name).seconds;
    split_.oracle += referred;
    split_.run += ran;
    // The oracle and the worker go on at the same time; what neither explains is transport.
    split_.transport += std::max(0.0, both - std::max(ran, referred));
    split_.compare += timed([&] {
      for (std::size_t i = 0; i < batch.size(); ++i)
        judge_stages(entry_, batch[i], outcomes[i], subject.info, {.shared = &references[i]});
    });
  }

  /// The time to judge float32 (in double) and float64 (in extended precision), value and bound, one thread.
  void oracle(const std::string& label, const std::string& shape) {
    for (const auto& [dtype, arithmetic] :
         {std::pair(DType::kFloat32, "double"), std::pair(DType::kFloat64, "extended")}) {
      const Case c = ms_deform_attn::model_case(shape, "near", dtype, options_.seed);
      const Oracle& oracle = entry_.operations(entry_.block->name(), dtype);
      const double seconds = timed([&] { oracle.evaluate(c, {}, {}, 1); });
      measurements_.add(fmt::format("oracle/{}/{}", label, arithmetic), "ms", 1e3 * seconds);
    }
  }

  /// What a case costs beyond the work of the implementation itself, on the first implementation.
  void isolation() {
    Subject& subject = subjects_.front().second;
    const Case small = tiny_case(1);
    if (!runs(subject, entry_, small)) return;
    Runner& runner = *subject.runner;
    const auto overhead = [&](std::span<const Case> cases) {
      std::vector<Outcome> outcomes;
      double seconds = timed([&] { outcomes = runner.run(cases, {}); });
      for (const Outcome& outcome : outcomes) seconds -= returned(outcome, subject.spec.name).seconds;
      return 1e6 * seconds / static_cast<double>(cases.size());
    };
    runner.run({&small, 1}, {});
    double unbatched = 0;
    for (int i = 0; i < kIsolationRepeats; ++i) unbatched += overhead({&small, 1}) / kIsolationRepeats;
    measurements_.add("isolation/unbatched", "us", unbatched);
    measurements_.add("isolation/batched", "us", overhead(std::vector<Case>(kIsolationRepeats, small)));
    const Case large = tiny_case(kMebibyteQueries);
    measurements_.add("isolation/1MiB", "us", overhead({&large, 1}));
    runner.restart();
    measurements_.add("isolation/fresh_worker", "ms", overhead({&small, 1}) / 1e3);
  }

  /// One pixel, one head and channel; the locations take 8 bytes a query.
  static Case tiny_case(std::int64_t queries) {
    const auto filled = [](Shape shape, float value) {
      const std::vector<float> values(static_cast<std::size_t>(element_count(shape)), value);
      return Tensor::of<float>(DType::kFloat32, std::move(shape), values);
    };
    return {"ms_deform_attn",
            {{"im2col_step", 64}},
            {{"value", filled({1, 1, 1, 1}, 1)},
             {"spatial_shapes", int64_tensor({1, 2}, {1, 1})},
             {"level_start_index", int64_tensor({1}, {0})},
             {"sampling_loc", filled({1, queries, 1, 1, 1, 2}, 0.5F)},
             {"attn_weight", filled({1, queries, 1, 1, 1}, 1)}},
            {}};
  }

  const Options& options_;
  const BlockEntry& entry_;
  const BlockEntry& backward_;
  std::vector<std::pair<int, Subject>> subjects_;
  Measurements measurements_;
  TimeSplit split_;
  std::map<std::string, std::string> environment_;
  std::string missing_peers_;
};

std::string split_text(const TimeSplit& split) {
  const double total = split.total();
  const auto part = [total](double seconds) { return total > 0 ? 100 * seconds / total : 0; };
  return fmt::format(
      "\nWhere a case's time goes (throughput): generate {:.1f} %, transport {:.1f} %, run {:.1f} %, oracle "
      "{:.1f} %, "
      "compare {:.1f} %\n",
      part(split.generate), part(split.transport), part(split.run), part(split.oracle), part(split.compare));
}

}  // namespace

int run_bench(const Options& options) {
  Bench bench(options);
  for (int round = 0; round < options.rounds; ++round) {
    if (options.progress) fmt::print(stderr, "round {} of {}\n", round + 1, options.rounds);
    bench.round();
  }
  for (const ReportTarget& target : options.reports) {
    const std::string text = target.kind == "json"
                                 ? measurements_json(bench.measurements(), bench.notes())
                                 : measurements_table(bench.measurements()) + split_text(bench.split());
    if (target.file.empty()) {
      say(options, text);
    } else {
      write_file(target.file, text);
    }
  }
  return 0;
}

}  // namespace deformdiff::cli
