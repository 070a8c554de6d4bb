// The parent's end of isolation, against the real worker and against programs that only pretend to be one.
#include "core/random.h"
#include "core/wire/run.h"
#include "engine/runner.h"
#include "engine/stopwatch.h"
#include "engine/worker_process.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <memory>
#include <poll.h>
#include <set>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Kind = Outcome::Kind;

/// Samples a map of side x side at every pixel's centre with weight 1: the output is `value` itself, to the
/// bit. Side is a power of two, so that the centres are exact.
Case copying_case(std::int64_t side, std::int64_t queries, std::int64_t channels) {
  const std::int64_t pixels = side * side;
  std::vector<float> value(static_cast<std::size_t>(pixels * channels));
  const CounterRandom random(7);
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<float>(random.uniform(i)) + 0.5F;
  std::vector<float> locations;
  for (std::int64_t q = 0; q < queries; ++q) {
    locations.push_back((static_cast<float>(q % side) + 0.5F) / static_cast<float>(side));
    locations.push_back((static_cast<float>(q / side) + 0.5F) / static_cast<float>(side));
  }
  const std::vector<float> weights(static_cast<std::size_t>(queries), 1.0F);
  const std::int64_t sides[] = {side, side};
  const std::int64_t start[] = {0};
  Case c{"ms_deform_attn", {{"im2col_step", 64}}, {}, {}};
  c.inputs = {{"value", Tensor::of<float>(DType::kFloat32, {1, pixels, 1, channels}, value)},
              {"spatial_shapes", Tensor::of<std::int64_t>(DType::kInt64, {1, 2}, sides)},
              {"level_start_index", Tensor::of<std::int64_t>(DType::kInt64, {1}, start)},
              {"sampling_loc", Tensor::of<float>(DType::kFloat32, {1, queries, 1, 1, 1, 2}, locations)},
              {"attn_weight", Tensor::of<float>(DType::kFloat32, {1, queries, 1, 1, 1}, weights)}};
  return c;
}

/// The same with `value` as a view that skips elements and begins late.
Case strided(Case c) {
  const Tensor plain = c.inputs[0].tensor;
  const std::int64_t pixels = plain.dim(1), channels = plain.dim(3), row = channels + 3;
  auto storage = std::make_shared<Tensor::Bytes>(static_cast<std::size_t>(pixels * row + 5) * sizeof(float));
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    std::memcpy(storage->data() + (5 + pixel * row) * sizeof(float),
                plain.storage().data() + pixel * channels * sizeof(float), channels * sizeof(float));
  }
  c.inputs[0].tensor = Tensor(DType::kFloat32, plain.shape(), {pixels * row, row, channels, 1}, 5, storage);
  return c;
}

void expect_copy(const Outcome& outcome, const Case& c) {
  ASSERT_EQ(outcome.kind, Kind::kReturned) << outcome.message;
  EXPECT_EQ(outcome.overran + outcome.modified + outcome.unwritten_output, "");
  ASSERT_EQ(outcome.outputs.size(), 1U);
  const Tensor& output = outcome.outputs[0].tensor;
  const Tensor value = c.input("value").contiguous();
  const std::int64_t queries = c.input("sampling_loc").dim(1);
  EXPECT_EQ(output.shape(), (Shape{1, queries, value.dim(3)}));
  ASSERT_LE(output.storage().size(), value.storage().size());
  EXPECT_EQ(std::memcmp(output.storage().data(), value.storage().data(), output.storage().size()), 0);
}

WorkerCommand worker(std::string subject) {
  fork_workers_of({DEFORMDIFF_WORKER});
  return {{DEFORMDIFF_WORKER, "--faults"}, std::move(subject)};
}

/// The same, started as any program: no fork server is beside it.
WorkerCommand lone_worker(std::string subject) {
  return {{"/usr/bin/env", DEFORMDIFF_WORKER, "--faults"}, std::move(subject)};
}

WorkerCommand shell(const char* script) {
  return {{"/bin/sh", "-c", script}, "any"};
}

WorkerCommand operators(const char* deed, const std::string& space) {
  const std::string address = std::string(DEFORMDIFF_FIXTURE_LIBRARY) + "#" + space;
  return {
      {"/usr/bin/env", std::string("DEFORMDIFF_FIXTURE=") + deed, DEFORMDIFF_WORKER, "--operator", address},
      address};
}

/// Queries odd triggers the process faults, even does not.
const Case kCalm = copying_case(4, 4, 3);
const Case kTrigger = copying_case(4, 5, 3);

struct Expectation {
  const char* subject;
  Kind kind;
  const char* words;  ///< in the message
  std::int64_t workers;
  double timeout = 20;
};

void PrintTo(const Expectation& expectation, std::ostream* stream) {
  *stream << expectation.subject;
}

class ProcessFault : public ::testing::TestWithParam<Expectation> {};

TEST_P(ProcessFault, IsOneVerdictAndTheRunGoesOn) {
  const Expectation& expected = GetParam();
  RunLimits limits{.case_timeout_seconds = expected.timeout, .memory_bytes = std::int64_t{3} << 30};
  const std::unique_ptr<Runner> runner = worker_runner(worker(expected.subject), limits);
  const std::vector<Case> cases{kCalm, kTrigger, kCalm, kCalm};
  const auto outcomes = runner->run(cases, {});
  ASSERT_EQ(outcomes.size(), cases.size());
  for (const std::size_t calm : {0U, 2U, 3U}) expect_copy(outcomes[calm], cases[calm]);
  EXPECT_EQ(outcomes[1].kind, expected.kind) << outcomes[1].message;
  EXPECT_NE(outcomes[1].message.find(expected.words), std::string::npos) << outcomes[1].message;
  EXPECT_EQ(runner->workers_started(), expected.workers);
}

INSTANTIATE_TEST_SUITE_P(
    Runner, ProcessFault,
    ::testing::Values(
        Expectation{"fault/segfaults", Kind::kCrashed, "killed by SIGSEGV (Segmentation fault)", 2},
        Expectation{"fault/aborts", Kind::kCrashed, "killed by SIGABRT", 2},
        Expectation{"fault/killed", Kind::kCrashed, "memory runs out", 3},
        Expectation{"fault/stops", Kind::kCrashed, "stopped by SIGSTOP", 3},
        Expectation{"fault/exits", Kind::kCrashed, "left with exit code 0", 2},
        Expectation{"fault/babbles", Kind::kCrashed, "wrote nonsense into the channel: Segment", 2},
        Expectation{"fault/hangs", Kind::kTimedOut, "no answer within 1.5 s", 2, 1.5},
        Expectation{"fault/hides", Kind::kTimedOut, "no answer within 1.5 s", 2, 1.5},
        Expectation{"fault/eats_memory", Kind::kThrew, "out of memory", 1},
        Expectation{"fault/throws", Kind::kThrew, "the stars are not right", 1},
        Expectation{"fault/throws_nothing", Kind::kThrew, "what() is null", 1},
        Expectation{"fault/throws_at_length", Kind::kThrew, "the stars \x01\xEF\xBF\xBD are ***", 1},
        Expectation{"fault/closes_descriptors", Kind::kCrashed, "", 2}),
    [](const auto& test) { return std::string(test.param.subject).substr(sizeof "fault/" - 1); });

Outcome outcome_of_trigger(const char* subject, bool run_twice) {
  const std::unique_ptr<Runner> runner = worker_runner(worker(subject), {});
  auto outcomes = runner->run(std::vector<Case>{kTrigger, kTrigger}, {.twice = run_twice});
  EXPECT_EQ(runner->workers_started(), 1);
  return std::move(outcomes[1]);
}

TEST(Watched, BothSidesOfTheOutput) {
  EXPECT_EQ(outcome_of_trigger("fault/overruns", {}).overran, "after the output");
  EXPECT_EQ(outcome_of_trigger("fault/underruns", {}).overran, "before the output");
}

TEST(Watched, InputsAndEarlierOutputs) {
  EXPECT_EQ(outcome_of_trigger("fault/modifies_input", {}).modified, "attn_weight");
  EXPECT_EQ(outcome_of_trigger("fault/transposes_input", {}).modified, "sampling_loc");
  EXPECT_EQ(outcome_of_trigger("fault/resizes_input", {}).modified, "attn_weight");
  EXPECT_EQ(outcome_of_trigger("fault/modifies_earlier_output", {}).modified, "earlier output");
}

bool has_nan(const Outcome& outcome) {
  const auto values = outcome.outputs.at(0).tensor.values<float>();
  return std::any_of(values.begin(), values.end(), [](float value) { return std::isnan(value); });
}

TEST(Watched, ReadingBeyondAnInputLeavesANan) {
  const std::unique_ptr<Runner> runner = worker_runner(worker("fault/outside_multiplied_by_zero"), {});
  Case corner = kCalm;
  // Halfway out of the map at its last pixel: a row and a pixel beyond the end.
  std::vector<float> locations(static_cast<std::size_t>(corner.input("sampling_loc").elements()), 1.0F);
  corner.inputs[3].tensor =
      Tensor::of<float>(DType::kFloat32, corner.input("sampling_loc").shape(), locations);
  EXPECT_TRUE(has_nan(runner->run(std::span(&corner, 1), {}).at(0)));
  const std::unique_ptr<Runner> right = worker_runner(worker("cpu"), {});
  EXPECT_FALSE(has_nan(right->run(std::span(&corner, 1), {}).at(0)));
}

TEST(Watched, ResultsAreTheCallersToWriteTo) {
  EXPECT_TRUE(has_nan(outcome_of_trigger("fault/kept_result", false)));
}

TEST(Watched, InputsLieWhereTheOnesBeforeDid) {
  for (const char* subject : {"fault/sides_by_address", "fault/sides_by_tensor"}) {
    const std::unique_ptr<Runner> runner = worker_runner(worker(subject), {});
    const Case other = copying_case(8, 8, 3);
    const auto outcomes = runner->run(std::vector<Case>{other, kCalm}, {});
    expect_copy(outcomes[0], other);
    const auto fresh = worker_runner(worker(subject), {})->run(std::span(&kCalm, 1), {});
    expect_copy(fresh.at(0), kCalm);
    EXPECT_NE(outcomes[1].outputs, fresh.at(0).outputs) << subject;
  }
}

TEST(Watched, ElementsThatWereNotWritten) {
  const Outcome outcome = outcome_of_trigger("fault/leaves_poison", {});
  EXPECT_EQ(outcome.unwritten_output, "output");
  EXPECT_EQ(outcome.first_unwritten, 7);
}

TEST(Watched, ElementsOfSixteenBitsThatWereNotWritten) {
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    Case c = copying_case(2, 3, 5);
    for (NamedTensor& input : c.inputs) input.tensor = convert(input.tensor, dtype);
    for (const bool leaves : {true, false}) {
      const std::unique_ptr<Runner> runner =
          worker_runner(worker(leaves ? "fault/leaves_poison" : "cpu"), {});
      const Outcome outcome = runner->run(std::span(&c, 1), {}).at(0);
      ASSERT_EQ(outcome.kind, Kind::kReturned) << outcome.message;
      EXPECT_EQ(outcome.outputs.at(0).tensor.dtype(), dtype);
      EXPECT_EQ(outcome.unwritten_output, leaves ? "output" : "");
      if (leaves) EXPECT_EQ(outcome.first_unwritten, 7);
    }
  }
}

TEST(Calls, AreMadeInTheModeThatIsAskedFor) {
  const auto runner = worker_runner(operators("", "fixture_mode"), {});
  const auto first_of = [](const std::vector<NamedTensor>& outputs) {
    return outputs.size() == 1 ? outputs[0].tensor.element(0) : -1;
  };
  // A call that took long is not repeated in other ways, and any may on a busy machine.
  bool repeated = false;
  const std::vector<Case> cases(200, kCalm);
  for (const Outcome& outcome : runner->run(cases, {.twice = true, .at_once = true, .packed = true})) {
    ASSERT_EQ(outcome.kind, Kind::kReturned) << outcome.message;
    EXPECT_TRUE(outcome.repeated_bits);
    EXPECT_EQ(first_of(outcome.outputs), 0);
    if (outcome.packed.empty()) continue;
    EXPECT_EQ(first_of(outcome.at_once), 1);
    EXPECT_EQ(first_of(outcome.packed), 2);
    repeated = true;
  }
  EXPECT_TRUE(repeated);
}

TEST(Watched, BitsOfASecondRun) {
  const Outcome changing = outcome_of_trigger("fault/nondeterministic", true);
  EXPECT_TRUE(changing.ran_twice);
  EXPECT_FALSE(changing.repeated_bits);
  EXPECT_TRUE(outcome_of_trigger("cpu", true).repeated_bits);
  EXPECT_FALSE(outcome_of_trigger("cpu", {}).ran_twice);
}

TEST(Watched, OutputsAreReturnedAsTheyAre) {
  EXPECT_EQ(outcome_of_trigger("fault/wrong_shape", {}).outputs.at(0).tensor.shape(), (Shape{5, 3}));
  EXPECT_EQ(outcome_of_trigger("fault/wrong_dtype", {}).outputs.at(0).tensor.dtype(), DType::kFloat64);
}

TEST(Watched, DescriptorsThatAreNotItsOwnDisturbNothing) {
  const std::unique_ptr<Runner> runner = worker_runner(worker("control/damages_descriptors"), {});
  const Case large = copying_case(64, 4095, 17);
  const std::vector<Case> cases{kTrigger, large, kTrigger, large};
  for (int round = 0; round < 2; ++round) {
    const auto outcomes = runner->run(cases, {});
    for (std::size_t i = 0; i < cases.size(); ++i) expect_copy(outcomes[i], cases[i]);
  }
}

TEST(Watched, PrintingDisturbsNothing) {
  expect_copy(outcome_of_trigger("control/prints", {}), kTrigger);
}

TEST(RunnerTest, AProgramThatIsGoneLosesNothingThatWasRun) {
  const std::filesystem::path program = std::filesystem::path(testing::TempDir()) / "worker_that_goes";
  std::filesystem::remove(program);
  std::filesystem::create_symlink(DEFORMDIFF_WORKER, program);
  const auto runner = worker_runner({{program.string(), "--faults"}, "control/prints"}, {});
  const Case c = kCalm;
  runner->start({&c, 1}, {});
  EXPECT_EQ(runner->finish().front().kind, Kind::kReturned);
  std::filesystem::remove(program);
  runner->restart();
  runner->start({&c, 1}, {});
  const Outcome gone = runner->finish().front();
  EXPECT_EQ(gone.kind, Kind::kNotRun);
  EXPECT_NE(gone.message.find("its worker does not start again"), std::string::npos) << gone.message;
  std::filesystem::create_symlink(DEFORMDIFF_WORKER, program);
  runner->start({&c, 1}, {});
  EXPECT_EQ(runner->finish().front().kind, Kind::kReturned);
}

TEST(RunnerTest, TellsWhatTheWorkerSays) {
  const std::unique_ptr<Runner> runner = worker_runner(worker("cpu"), {});
  Outcome failure;
  const SubjectInfo info = runner->info(failure);
  EXPECT_EQ(info.name, "cpu");
  EXPECT_TRUE(info.blocks.contains("ms_deform_attn"));
  EXPECT_EQ(failure.kind, Kind::kNotRun);
  EXPECT_EQ(failure.message, "");
  EXPECT_TRUE(runner->environment().contains("libtorch"));
  runner->run(std::vector<Case>(40, kCalm), {});
  runner->restart();
  expect_copy(runner->run(std::span(&kCalm, 1), {}).at(0), kCalm);
  EXPECT_EQ(runner->workers_started(), 2);
}

TEST(RunnerTest, LargeTensorsKeepEveryBit) {
  const std::unique_ptr<Runner> runner = worker_runner(worker("cpu"), {});
  const Case large = copying_case(128, 128 * 128, 64);
  const std::vector<Case> cases{kCalm,          large,   strided(kCalm), copying_case(64, 4096, 17),
                                strided(large), kTrigger};
  for (int round = 0; round < 2; ++round) {
    const auto outcomes = runner->run(cases, {});
    for (std::size_t i = 0; i < cases.size(); ++i) expect_copy(outcomes[i], cases[i]);
  }
  EXPECT_EQ(runner->workers_started(), 1);
}

TEST(RunnerTest, RunnersWorkAtTheSameTime) {
  const std::unique_ptr<Runner> hanging = worker_runner(worker("fault/hangs"), {.case_timeout_seconds = 2});
  const std::unique_ptr<Runner> working = worker_runner(worker("cpu"), {});
  hanging->start(std::span(&kTrigger, 1), {});
  working->start(std::span(&kCalm, 1), {});
  expect_copy(working->finish().at(0), kCalm);
  EXPECT_EQ(hanging->finish().at(0).kind, Kind::kTimedOut);
}

TEST(RunnerTest, AnInterruptEndsAHangAndKeepsWhatIsDone) {
  std::atomic<bool> interrupted{false};
  const std::unique_ptr<Runner> runner = worker_runner(
      worker("fault/hangs"), {.case_timeout_seconds = 60, .end = {.interrupted = &interrupted}});
  Outcome failure;
  runner->info(failure);
  const std::jthread user([&] {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    interrupted = true;
  });
  const Stopwatch watch;
  const std::vector<Case> cases{kCalm, kTrigger, kCalm};
  const auto outcomes = runner->run(cases, {});
  EXPECT_LT(watch.seconds(), 10);
  ASSERT_EQ(outcomes.size(), 2U) << "the third was never given";
  expect_copy(outcomes[0], kCalm);
  EXPECT_EQ(outcomes[1].kind, Kind::kNotRun);
  EXPECT_EQ(outcomes[1].message, "the time was up while it ran");
}

TEST(Loading, EndsWithTheRun) {
  const std::unique_ptr<Runner> runner = worker_runner(shell("sleep 60"), {.end = Deadline().within(0.3)});
  Outcome failure;
  const Stopwatch watch;
  runner->info(failure);
  EXPECT_LT(watch.seconds(), 10);
  EXPECT_EQ(failure.kind, Kind::kNotRun);
  EXPECT_EQ(failure.message, "the time was up while it was loading");
}

TEST(RunnerTest, ABatchLargerThanThePipeDoesNotBlock) {
  const std::unique_ptr<Runner> runner = worker_runner(worker("cpu"), {});
  const std::vector<Case> cases(20000, kCalm);
  runner->start(cases, {});
  const auto outcomes = runner->finish();
  ASSERT_EQ(outcomes.size(), cases.size());
  for (const Outcome& outcome : outcomes) ASSERT_EQ(outcome.kind, Kind::kReturned);
}

TEST(RunnerTest, LargeCasesAndFirstCallsMayTakeLonger) {
  const Case small = copying_case(4, 4, 3), large = copying_case(128, 128 * 128, 64);
  const RunLimits usual, stated{.case_timeout_seconds = 5};
  EXPECT_NEAR(case_timeout(usual, small, false), kCaseTimeout, 0.1);
  EXPECT_NEAR(case_timeout(usual, small, true), kCaseTimeout + usual.start_timeout_seconds, 0.1);
  EXPECT_GT(case_timeout(usual, large, false), 2 * kCaseTimeout);
  for (const bool first : {false, true}) EXPECT_EQ(case_timeout(stated, large, first), 5);
}

TEST(RunnerTest, AnUnknownSubjectIsNotRun) {
  const std::unique_ptr<Runner> runner = worker_runner(worker("nobody"), {});
  const auto outcomes = runner->run(std::span(&kCalm, 1), {});
  EXPECT_EQ(outcomes.at(0).kind, Kind::kNotRun);
  EXPECT_NE(outcomes[0].message.find("no subject 'nobody'"), std::string::npos) << outcomes[0].message;
}

void expect_on_loading(const WorkerCommand& command, Kind kind, const std::string& words) {
  const std::unique_ptr<Runner> runner =
      worker_runner(command, {.start_timeout_seconds = kind == Kind::kTimedOut ? 2.0 : 60.0});
  const std::vector<Case> cases{kCalm, kCalm};
  for (const Outcome& outcome : runner->run(cases, {})) {
    EXPECT_EQ(outcome.kind, kind) << outcome.message;
    EXPECT_NE(outcome.message.find(words), std::string::npos) << outcome.message;
  }
  Outcome failure;
  EXPECT_EQ(runner->info(failure).name, "");
  EXPECT_EQ(failure.kind, kind);
  EXPECT_EQ(runner->workers_started(), kind == Kind::kCrashed ? kWorkerStarts : 1);
}

TEST(Loading, WhatGoesWrongIsToldForEveryCase) {
  expect_on_loading(shell("echo about to leave >&2; exit 3"), Kind::kCrashed,
                    "on loading: left with exit code 3; its last words: about to leave");
  expect_on_loading(shell("kill -BUS $$"), Kind::kCrashed, "on loading: killed by SIGBUS");
  expect_on_loading(shell("echo hello, this is no protocol; sleep 60"), Kind::kCrashed,
                    "on loading: wrote nonsense into the channel: hello");
  expect_on_loading(shell("exec >&- ; sleep 60"), Kind::kCrashed, "on loading: closed its channel");
  expect_on_loading(shell("sleep 60"), Kind::kTimedOut, "on loading: no answer within 2 s");
}

TEST(Loading, LastWordsAreTheFirstLinesToo) {
  expect_on_loading(shell("echo registered twice >&2; seq -f 'frame #%g' 500 >&2; kill -ABRT $$"),
                    Kind::kCrashed,
                    "killed by SIGABRT (Aborted); its last words: registered twice frame #1 ");
  expect_on_loading(shell("echo registered twice >&2; seq -f 'frame #%g' 500 >&2; kill -ABRT $$"),
                    Kind::kCrashed, "frame #500");
}

/// A program that runs `deed` where there is no file of that name yet, and is a worker from then on.
WorkerCommand once(const std::string& deed) {
  const std::string marker = ::testing::TempDir() + "deformdiff_once_" + std::to_string(::getpid());
  ::unlink(marker.c_str());
  const std::string script = "if mkdir " + marker + " 2>/dev/null; then " + deed + "; fi; rmdir " + marker +
                             "; exec " + DEFORMDIFF_WORKER;
  return {{"/bin/sh", "-c", script}, "cpu"};
}

TEST(Loading, AWorkerThatDiesOnceIsStartedAgain) {
  for (const char* deed : {"kill -KILL $$", "exit 3", "kill -STOP $$"}) {
    const std::unique_ptr<Runner> runner = worker_runner(once(deed), {.start_timeout_seconds = 10});
    const std::vector<Case> cases{kCalm, kTrigger};
    const auto outcomes = runner->run(cases, {});
    for (std::size_t i = 0; i < cases.size(); ++i) expect_copy(outcomes[i], cases[i]);
    EXPECT_EQ(runner->workers_started(), 2) << deed;
    EXPECT_NE(outcomes[0].lost_worker.find(" on loading"), std::string::npos) << outcomes[0].lost_worker;
    EXPECT_EQ(outcomes[1].lost_worker, "");
  }
}

/// The process of the worker that this one has.
pid_t only_child() {
  for (pid_t child = 0;;) {
    std::FILE* list = ::popen("ps -o pid=,comm= --ppid $PPID", "r");
    char name[64];
    while (list != nullptr && std::fscanf(list, "%d %63s", &child, name) == 2) {
      if (std::string_view(name).starts_with("deformdiff")) break;
      child = 0;
    }
    ::pclose(list);
    if (child != 0) return child;
  }
}

TEST(RunnerTest, ACaseIsNotBlamedForASignalFromElsewhere) {
  for (const int signal : {SIGKILL, SIGTERM, SIGSTOP}) {
    const std::unique_ptr<Runner> runner = worker_runner(lone_worker("cpu"), {.case_timeout_seconds = 30});
    const Outcome before = runner->run(std::span(&kCalm, 1), {}).at(0);
    expect_copy(before, kCalm);
    EXPECT_EQ(before.lost_worker, "");
    ::kill(only_child(), signal);
    const std::vector<Case> cases{kCalm, kTrigger};
    const Stopwatch watch;
    const auto outcomes = runner->run(cases, {});
    EXPECT_LT(watch.seconds(), 10) << "it waited for what was stopped";
    for (std::size_t i = 0; i < cases.size(); ++i) expect_copy(outcomes[i], cases[i]);
    EXPECT_EQ(runner->workers_started(), 2) << signal;
    const std::string name = std::string(" by SIG") + ::sigabbrev_np(signal);
    EXPECT_NE(outcomes[0].lost_worker.find(name), std::string::npos) << outcomes[0].lost_worker;
    EXPECT_EQ(outcomes[1].lost_worker, "");
  }
}

TEST(RunnerTest, APauseIsNoEnd) {
  const std::unique_ptr<Runner> runner = worker_runner(lone_worker("cpu"), {});
  expect_copy(runner->run(std::span(&kCalm, 1), {}).at(0), kCalm);
  const pid_t child = only_child();
  ::kill(child, SIGSTOP);
  const std::jthread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    ::kill(child, SIGCONT);
  });
  const Outcome outcome = runner->run(std::span(&kCalm, 1), {}).at(0);
  expect_copy(outcome, kCalm);
  EXPECT_EQ(outcome.lost_worker, "");
  EXPECT_EQ(runner->workers_started(), 1);
}

/// The process that a message says was left behind.
pid_t left_behind(const std::string& message) {
  const std::size_t words = message.find("left behind: ");
  return words == std::string::npos ? 0 : std::stoi(message.substr(words + std::strlen("left behind: ")));
}

bool is_alive(pid_t process) {
  return ::kill(process, 0) == 0;
}

TEST(RunnerTest, WhatAWorkerStartsEndsWithIt) {
  const std::unique_ptr<Runner> other = worker_runner(worker("cpu"), {});
  expect_copy(other->run(std::span(&kCalm, 1), {}).at(0), kCalm);
  const std::unique_ptr<Runner> hiding = worker_runner(worker("fault/hides"), {.case_timeout_seconds = 1});
  const pid_t hidden = left_behind(hiding->run(std::span(&kTrigger, 1), {}).at(0).message);
  ASSERT_GT(hidden, 0);
  EXPECT_FALSE(is_alive(hidden));
  const std::unique_ptr<Runner> dying =
      worker_runner(shell("(setsid sleep 1000 & echo left behind: $! >&2); exit 3"), {});
  const pid_t orphan = left_behind(dying->run(std::span(&kCalm, 1), {}).at(0).message);
  ASSERT_GT(orphan, 0);
  EXPECT_FALSE(is_alive(orphan));
  expect_copy(other->run(std::span(&kCalm, 1), {}).at(0), kCalm);
  EXPECT_EQ(other->workers_started(), 1);
}

TEST(Loading, ALibraryForADeviceThatIsNotThereCannotRun) {
  WorkerCommand command = operators("", "fixture");
  command.argv.insert(command.argv.end(), {"--device", "cuda"});
  Outcome failure;
  const SubjectInfo info = worker_runner(command, {})->info(failure);
  const SubjectInfo built_in = worker_runner(worker("composite_cuda"), {})->info(failure);
  EXPECT_EQ(info.device, "cuda");
  EXPECT_EQ(info.not_run, built_in.not_run);
}

TEST(Loading, AProgramThatIsNotThereIsBadInput) {
  const std::unique_ptr<Runner> runner = worker_runner({{"/nowhere/worker"}, "any"}, {});
  EXPECT_THROW(runner->start(std::span(&kCalm, 1), {}), InputError);
}

TEST(Loading, OperatorLibraries) {
  const std::unique_ptr<Runner> good = worker_runner(operators("print", "fixture"), {});
  const Outcome outcome = good->run(std::span(&kCalm, 1), {}).at(0);
  EXPECT_EQ(outcome.kind, Kind::kReturned) << outcome.message;
  const std::unique_ptr<Runner> without_kernel = worker_runner(operators("", "fixture_no_kernel"), {});
  EXPECT_EQ(without_kernel->run(std::span(&kCalm, 1), {}).at(0).kind, Kind::kUnsupported);
  expect_on_loading(operators("abort", "fixture"), Kind::kCrashed, "on loading: killed by SIGABRT");
  expect_on_loading(operators("exit", "fixture"), Kind::kCrashed, "on loading: left with exit code 0");
  expect_on_loading(operators("hang", "fixture"), Kind::kTimedOut, "on loading: no answer");
  expect_on_loading(operators("", "missing"), Kind::kNotRun,
                    "registers no missing::ms_deform_attn_forward and no _backward; it registers "
                    "fixture::ms_deform_attn_forward");
  expect_on_loading(
      operators("", "missing"), Kind::kNotRun,
      ": name it FILE.so#fixture::ms_deform_attn or FILE.so#fixture_backward::ms_deform_attn or ");
  expect_on_loading(operators("", "fixture_schema"), Kind::kNotRun, "is wanted");
}

/// kCalm, and grad_output last.
Case backward_of_calm() {
  Case c = kCalm;
  c.block = "ms_deform_attn_backward";
  const std::int64_t queries = c.input("sampling_loc").dim(1), channels = c.input("value").dim(3);
  const std::vector<float> ones(static_cast<std::size_t>(queries * channels), 1.0F);
  c.inputs.push_back({"grad_output", Tensor::of<float>(DType::kFloat32, {1, queries, channels}, ones)});
  return c;
}

TEST(Loading, AnOperatorServesTheDirectionsThatItsLibraryRegisters) {
  const Case backward = backward_of_calm();
  const struct {
    const char* space;
    std::set<std::string> blocks;
    Kind forward, backward;
  } libraries[] = {
      {"fixture", {"ms_deform_attn"}, Kind::kReturned, Kind::kUnsupported},
      {"fixture_backward", {"ms_deform_attn_backward"}, Kind::kUnsupported, Kind::kReturned},
      {"fixture_both", {"ms_deform_attn", "ms_deform_attn_backward"}, Kind::kReturned, Kind::kReturned}};
  for (const auto& library : libraries) {
    const std::unique_ptr<Runner> runner = worker_runner(operators("", library.space), {});
    Outcome failure;
    EXPECT_EQ(runner->info(failure).blocks, library.blocks) << failure.message;
    EXPECT_EQ(runner->run(std::span(&kCalm, 1), {}).at(0).kind, library.forward) << library.space;
    const Outcome outcome = runner->run(std::span(&backward, 1), {}).at(0);
    EXPECT_EQ(outcome.kind, library.backward) << library.space << ": " << outcome.message;
    if (outcome.kind != Kind::kReturned) continue;
    ASSERT_EQ(outcome.outputs.size(), 3);
    EXPECT_EQ(outcome.outputs[0].name, "grad_value");
    EXPECT_EQ(outcome.outputs[1].tensor.shape(), kCalm.input("sampling_loc").shape());
    EXPECT_EQ(outcome.outputs[2].tensor.shape(), kCalm.input("attn_weight").shape());
  }
  expect_on_loading(operators("", "fixture_backward_schema"), Kind::kNotRun,
                    "fixture_backward_schema::ms_deform_attn_backward(Tensor value, Tensor spatial_shapes");
}

WorkerCommand library(const std::string& file, const std::string& space) {
  return {{DEFORMDIFF_WORKER, "--operator", file + "#" + space}, file + "#" + space};
}

TEST(Loading, WhatIsNoLibraryOfOperatorsIsToldHowToBecomeOne) {
  const std::string text = testing::TempDir() + "no_library_" + std::to_string(::getpid()) + ".so";
  std::FILE* const file = std::fopen(text.c_str(), "w");
  std::fputs("no library", file);
  std::fclose(file);
  expect_on_loading(library(text, "mine"), Kind::kNotRun, "g++ -std=c++17 -O2 -shared -fPIC");
  std::filesystem::remove(text);
  Dl_info of_mathematics{};
  double (*const cosine)(double) = &::cos;
  ASSERT_NE(::dladdr(reinterpret_cast<void*>(cosine), &of_mathematics), 0);
  expect_on_loading(library(of_mathematics.dli_fname, "mine"), Kind::kNotRun,
                    "it registers no operators: TORCH_LIBRARY(mine, m) in its source must "
                    "m.def(\"ms_deform_attn_forward(Tensor value, ");
}

/// True once the process is gone.
bool is_gone_within(int process, int milliseconds) {
  pollfd wait{process, POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) > 0;
}

TEST(Parent, WorkersEndWithItEvenInTheMiddleOfACase) {
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    WorkerProcess process(worker("fault/hangs").argv, 0);
    const wire::RunRequest request{"fault/hangs", {}, {kTrigger}};
    process.send(wire::encode(request));
    process.receive(WorkerProcess::Clock::now() + std::chrono::seconds(60));
    const pid_t pid = process.pid();
    static_cast<void>(!::write(told[1], &pid, sizeof pid));
    ::pause();
    ::_exit(0);
  }
  pid_t pid = 0;
  ASSERT_EQ(::read(told[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  ASSERT_GE(process, 0);
  EXPECT_FALSE(is_gone_within(process, 200));
  ASSERT_EQ(::kill(parent, SIGKILL), 0);
  EXPECT_TRUE(is_gone_within(process, 10000));
  ::waitpid(parent, nullptr, 0);
}

/// 64 MiB of positions, shown on the way to as many.
Case large_staged_case() {
  const std::int64_t sides[] = {256, 256};
  Case c{"position_embedding",
         {{"num_position_features", 128},
          {"position_temperature", 10000},
          {"position_scale", 6.283185307179586},
          {"position_eps", 1e-6},
          {"position_normalize", 1},
          {"position_offset", 0},
          {"bits", 32}},
         {},
         {}};
  c.inputs = {{"spatial_shape", Tensor::of<std::int64_t>(DType::kInt64, {2}, sides)}};
  return c;
}

/// What the tapped call returns comes last: it is a stage that the model need not show.
TEST(Runner, KeepsTheOrderOfStagesThatWereSentAhead) {
  const std::unique_ptr<Runner> runner = worker_runner(worker("composite"), {});
  const std::vector<Case> cases{large_staged_case(), large_staged_case()};
  const auto outcomes = runner->run(cases, {.tap = true});
  ASSERT_EQ(outcomes[0].kind, Kind::kReturned) << outcomes[0].message;
  EXPECT_EQ(outcomes[0].stages, outcomes[1].stages);
  std::vector<std::string> names;
  for (const NamedTensor& stage : outcomes[0].stages) names.push_back(stage.name);
  EXPECT_EQ(names, (std::vector<std::string>{"y_embed", "x_embed", "dim_t", "angle_x", "angle_y",
                                             "position_embedding"}));
}

TEST(WorkerProcess, LargeStagesComeBeforeTheResultAndTheirMemoryIsGivenBack) {
  WorkerProcess process(worker("composite").argv, 0);
  const auto receive = [&] {
    return process.receive(WorkerProcess::Clock::now() + std::chrono::seconds(60));
  };
  ASSERT_EQ(receive(), WorkerProcess::Event::kMessage);  // hello
  const wire::RunRequest request{"composite", {.tap = true}, {large_staged_case()}};
  process.send(wire::encode(request));
  ASSERT_EQ(receive(), WorkerProcess::Event::kMessage);
  const wire::RunResult ahead = wire::decode_run_result(process.header(), process.data());
  EXPECT_TRUE(ahead.more);
  EXPECT_TRUE(ahead.outcome.outputs.empty());
  ASSERT_FALSE(ahead.outcome.stages.empty());
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  EXPECT_FALSE(std::ranges::all_of(process.data(), is_zero));
  process.release_data();
  EXPECT_TRUE(std::ranges::all_of(process.data(), is_zero));
}

}  // namespace
}  // namespace deformdiff
