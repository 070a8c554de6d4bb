// Workers that are forked are what started ones are.
#include "engine/fork_server.h"

#include "core/child_processes.h"
#include "engine/worker_process.h"

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace deformdiff {
namespace {

using Event = WorkerProcess::Event;

const std::vector<std::string> kWords{"--fault", "fault/throws"};

Event next(WorkerProcess& process) {
  return process.receive(WorkerProcess::Clock::now() + std::chrono::seconds(60));
}

/// Its words, with zeros between them.
std::string command_line_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/cmdline");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST(ForkServer, AForkedWorkerHasItsOwnCommandLineAndEnd) {
  fork_workers_of({DEFORMDIFF_WORKER});
  const std::vector<std::string> command{DEFORMDIFF_WORKER, "--fault", "fault/throws"};
  WorkerProcess first(command, 0), second(command, 0);
  for (WorkerProcess* process : {&first, &second}) {
    ASSERT_EQ(next(*process), Event::kMessage) << process->last_words();
    EXPECT_NE(process->header().find("fault/throws"), std::string_view::npos) << process->header();
    EXPECT_NE(command_line_of(process->pid()).find("--fork-server"), std::string::npos);
    EXPECT_EQ(::getpgid(process->pid()), process->pid());
  }
  ASSERT_EQ(::kill(first.pid(), SIGSEGV), 0);
  EXPECT_EQ(next(first), Event::kEnded);
  EXPECT_EQ(first.describe_end(), "killed by SIGSEGV (Segmentation fault)");
  EXPECT_FALSE(first.was_hit_from_outside());
  ASSERT_EQ(::kill(second.pid(), SIGSTOP), 0);
  EXPECT_EQ(next(second), Event::kStopped);
}

TEST(ForkServer, AWrongCommandLineIsTold) {
  fork_workers_of({DEFORMDIFF_WORKER});
  WorkerProcess process({DEFORMDIFF_WORKER, "--nonsense"}, 0);
  EXPECT_EQ(next(process), Event::kEnded);
  EXPECT_EQ(process.describe_end(), "left with exit code 2");
  EXPECT_NE(process.last_words().find("nonsense"), std::string::npos) << process.last_words();
}

TEST(ForkServer, OneThatIsGoneStartsNothing) {
  adopt_orphans();
  ForkServer server({DEFORMDIFF_WORKER});
  const FileDescriptor nothing(::open("/dev/null", O_RDWR));
  const std::array<int, 5> given{nothing.get(), nothing.get(), nothing.get(), nothing.get(), nothing.get()};
  const pid_t process = server.start(kWords, given);
  ASSERT_GT(process, 0);
  kill_child(process, -1);
  ASSERT_EQ(::kill(server.pid(), SIGKILL), 0);
  EXPECT_EQ(server.start(kWords, given), -1);
  EXPECT_EQ(server.start(kWords, given), -1);
}

TEST(ForkServer, AProgramThatIsNoneIsStartedAsAnyOther) {
  fork_workers_of({"/bin/sh"});
  WorkerProcess process({"/bin/sh", "-c", std::string("exec ") + DEFORMDIFF_WORKER}, 0);
  EXPECT_EQ(next(process), Event::kMessage) << process.last_words();
}

}  // namespace
}  // namespace deformdiff
