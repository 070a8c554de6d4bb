#include "cli/options.h"

#include "core/error.h"

#include <vector>

#include <gtest/gtest.h>

namespace deformdiff::cli {
namespace {

Options parse(std::vector<const char*> words) {
  words.insert(words.begin(), "deformdiff");
  return parse_options(static_cast<int>(words.size()), words.data());
}

std::string refusal(const std::vector<const char*>& words) {
  try {
    parse(words);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Options, DeclarationsAreThoseOfAddresses) {
  const Options options =
      parse({"judge", "a.safetensors", "--declare", "variance=centred", "--declare", "supports=D%8==0,L<=4"});
  ASSERT_NE(options.declared.find("variance"), nullptr);
  EXPECT_EQ(*options.declared.find("variance"), "centred");
  EXPECT_EQ(*options.declared.find("supports"), "D%8==0,L<=4");
  for (const char* wrong : {"varianz=centred", "variance=both", "variance"}) {
    EXPECT_NE(refusal({"check", "a.pt", "--block", "opaque", "--declare", wrong}).find("declaration"),
              std::string::npos)
        << wrong;
  }
}

TEST(Options, FuzzTakesEveryFlag) {
  const Options options = parse({"fuzz",
                                 "--block",
                                 "ms_deform_attn",
                                 "--subject",
                                 "cpu",
                                 "--subject",
                                 "torchop:a.so#n?supports=D%8==0,L<=4",
                                 "--tier",
                                 "exact",
                                 "--cases",
                                 "20",
                                 "--time",
                                 "1.5m",
                                 "--seed",
                                 "7",
                                 "--out",
                                 "d",
                                 "--first-finding",
                                 "--no-shrink",
                                 "--case-timeout",
                                 "200ms",
                                 "--require",
                                 "cuda",
                                 "--report",
                                 "json:x.json",
                                 "--report",
                                 "terminal",
                                 "--progress",
                                 "never",
                                 "--threads",
                                 "3",
                                 "--quiet"});
  EXPECT_EQ(options.command, "fuzz");
  EXPECT_EQ(options.subjects, (std::vector<std::string>{"cpu", "torchop:a.so#n?supports=D%8==0,L<=4"}));
  EXPECT_EQ(options.tiers, std::vector<std::string>{"exact"});
  EXPECT_EQ(options.cases, 20);
  EXPECT_EQ(options.time_seconds, 90);
  EXPECT_EQ(options.seed, 7U);
  EXPECT_TRUE(options.first_finding);
  EXPECT_FALSE(options.shrink);
  EXPECT_DOUBLE_EQ(options.case_timeout_seconds.value(), 0.2);
  EXPECT_EQ(options.required, std::vector<std::string>{"cuda"});
  ASSERT_EQ(options.reports.size(), 2U);
  EXPECT_EQ(options.reports[0].file, "x.json");
  EXPECT_FALSE(options.progress);
  EXPECT_EQ(options.threads, 3);
  EXPECT_TRUE(options.quiet);
}

TEST(Options, ARepeatableFlagDoesNotSwallowFiles) {
  const Options options = parse({"replay", "--subject", "cpu", "a.json", "b.json"});
  EXPECT_EQ(options.subjects, std::vector<std::string>{"cpu"});
  EXPECT_EQ(options.files.size(), 2U);
  EXPECT_EQ(parse({"judge", "--map", "value=v", "f.safetensors"}).mapping.at("value"), "v");
}

TEST(Options, AReportToADashGoesToStandardOutput) {
  const Options options = parse({"fuzz", "--report", "json:-", "--report", "json:./-"});
  ASSERT_EQ(options.reports.size(), 2U);
  EXPECT_TRUE(options.reports[0].file.empty());
  EXPECT_EQ(options.reports[1].file, "./-");
}

TEST(Options, TheTerminalReportIsTheDefault) {
  EXPECT_EQ(parse({"fuzz"}).reports.size(), 1U);
  EXPECT_TRUE(parse({"fuzz", "--quiet"}).reports.empty());
  EXPECT_GE(parse({"fuzz"}).threads, 1);
}

TEST(Options, WhatIsPromisedAndNotBuiltSaysSo) {
  const std::vector<std::vector<const char*>> later{{"bench", "--report", "html:x"},
                                                    {"shrink", "c.json", "--report", "terminal:x"},
                                                    {"list", "--report", "json"}};
  for (const auto& words : later) {
    EXPECT_NE(refusal(words).find("not available yet"), std::string::npos)
        << words.front() << ": " << refusal(words);
  }
}

TEST(Options, EveryKindOfReportIsThereForWhatJudges) {
  for (const char* const command : {"fuzz", "replay", "selftest"}) {
    for (const char* const kind : {"terminal", "json", "junit", "html", "github"}) {
      std::vector<const char*> words{command, "--report", kind};
      if (command == std::string("replay")) words.push_back("c.json");
      EXPECT_EQ(parse(words).reports.at(0).kind, kind);
    }
  }
}

TEST(Options, WhatACommandIsToDoMustBeSaid) {
  EXPECT_NE(refusal({"emit", "c.json"}).find("--python"), std::string::npos);
  EXPECT_TRUE(parse({"emit", "c.json", "--issue"}).issue);
  EXPECT_NE(refusal({"bisect", "c.json"}).find("--versions A,B,C"), std::string::npos);
  EXPECT_EQ(parse({"bisect", "c.json", "--versions", "a.so,b.so"}).versions, "a.so,b.so");
  EXPECT_NE(refusal({"bisect", "c.json", "--versions", "a.so", "--run", "make"}).find("--run"),
            std::string::npos);
  EXPECT_NE(refusal({"replay", "c.json", "--origin", "--report", "json"}).find("takes no --report"),
            std::string::npos);
  EXPECT_NE(refusal({"replay", "c.json", "--origin", "--subject", "cpu"}).find("--subject"),
            std::string::npos);
}

TEST(Options, ReplayTakesAPrefixOfTheWorker) {
  EXPECT_EQ(parse({"replay", "c.json", "--worker-prefix", "gdb --args"}).worker_prefix, "gdb --args");
}

TEST(Options, CheckTakesOrdersAndSeveralInputs) {
  const Options options = parse({"check", "m.pt", "--block", "pixel_decoder", "--inputs", "a.safetensors",
                                 "--inputs", "b.safetensors", "--input-order", "res2,res3"});
  EXPECT_EQ(options.command, "check");
  EXPECT_EQ(options.inputs.size(), 2U);
  EXPECT_EQ(options.input_order, (std::vector<std::string>{"res2", "res3"}));
  EXPECT_NE(refusal({"check", "m.pt"}).find("--block"), std::string::npos);
}

TEST(Options, BadInputNamesTheFlag) {
  EXPECT_NE(refusal({}).find("a command is wanted"), std::string::npos);
  EXPECT_NE(refusal({"frobnicate"}).find("frobnicate"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--cases", "many"}).find("--cases"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--cases", "0"}).find("--cases '0': a whole number from 1"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--threads", "0"}).find("--threads '0'"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--time", "8 hours"}).find("--time '8 hours'"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--time", "-1s"}).find("--time"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--case-timeout", "nan"}).find("--case-timeout"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--progress", "always"}).find("--progress always"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--report", "pdf"}).find("--report pdf"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--colour"}).find("--colour"), std::string::npos);
  EXPECT_NE(refusal({"replay"}).find("CASE"), std::string::npos);
  EXPECT_NE(refusal({"judge", "f", "--map", "value"}).find("--map value"), std::string::npos);
}

TEST(Options, NumbersAreWholeAndInRange) {
  EXPECT_EQ(parse({"fuzz", "--seed", "18446744073709551615"}).seed, 18446744073709551615U);
  for (const char* const typed : {"99999999999999999999", "-1", "", " 5", "5 ", "1e3", "0x10", "3.0"}) {
    EXPECT_NE(refusal({"fuzz", "--cases", typed}).find("--cases"), std::string::npos) << typed;
  }
  for (const char* const typed : {"18446744073709551616", "-1", "", "+"}) {
    EXPECT_NE(refusal({"fuzz", "--seed", typed}).find("--seed"), std::string::npos) << typed;
  }
  EXPECT_NE(refusal({"fuzz", "--threads", "4294967297"}).find("--threads"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--time", ""}).find("--time ''"), std::string::npos);
}

TEST(Options, AnEmptyNameIsNoFile) {
  const std::vector<std::vector<const char*>> unnamed{{"fuzz", "--out", ""},
                                                      {"selftest", "--out", ""},
                                                      {"shrink", "c.json", "-o", ""},
                                                      {"replay", "a.json", ""},
                                                      {"judge", ""},
                                                      {"check", "m.pt", "--block", "b", "--config", ""},
                                                      {"judge", "f", "--config", ""}};
  for (const auto& words : unnamed) {
    EXPECT_NE(refusal(words).find("the name of a file or folder wanted"), std::string::npos)
        << words.front() << ": " << refusal(words);
  }
}

TEST(Options, QuietAlsoMeansWithoutProgress) {
  EXPECT_TRUE(parse({"fuzz"}).progress);
  EXPECT_FALSE(parse({"fuzz", "--quiet"}).progress);
}

TEST(Options, HelpAndVersionAreText) {
  const std::string version = parse({"--version"}).message;
  EXPECT_TRUE(version.starts_with(std::string("deformdiff ") + DEFORMDIFF_VERSION + "\n")) << version;
  for (const char* const part : {"commit", "compiler", "LibTorch", "CUDA"}) {
    EXPECT_NE(version.find(std::string("\n") + part + " "), std::string::npos) << version;
  }
  EXPECT_NE(parse({"--help"}).message.find("selftest"), std::string::npos);
  EXPECT_NE(parse({"fuzz", "--help"}).message.find("--first-finding"), std::string::npos);
}

TEST(Options, HelpNamesOnlyWhatIsBuilt) {
  const std::string all = parse({"--help"}).message + parse({"fuzz", "--help"}).message;
  EXPECT_EQ(all.find("not available"), std::string::npos) << all;
}

TEST(Options, LongRunsHaveCanariesUnlessToldOtherwise) {
  EXPECT_FALSE(parse({"fuzz"}).canaries);
  EXPECT_FALSE(parse({"fuzz", "--time", "599s"}).canaries);
  EXPECT_TRUE(parse({"fuzz", "--time", "10m"}).canaries);
  EXPECT_TRUE(parse({"fuzz", "--cases", "5", "--canaries"}).canaries);
  EXPECT_FALSE(parse({"fuzz", "--time", "8h", "--no-canaries"}).canaries);
}

TEST(Options, TimedRunsAreGuidedUnlessToldOtherwise) {
  EXPECT_EQ(parse({"fuzz"}).guided_share, 0);
  EXPECT_EQ(parse({"fuzz", "--time", "60s"}).guided_share, 0.3);
  EXPECT_EQ(parse({"fuzz", "--time", "60s", "--guided", "0"}).guided_share, 0);
  EXPECT_EQ(parse({"fuzz", "--time", "60s", "--guided", "50"}).guided_share, 0.5);
  EXPECT_NE(refusal({"fuzz", "--guided", "50"}).find("--time"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--time", "60s", "--guided", "100"}).find("at most 90"), std::string::npos);
  EXPECT_NE(refusal({"fuzz", "--time", "60s", "--guided", "some"}).find("--guided"), std::string::npos);
}

}  // namespace
}  // namespace deformdiff::cli
