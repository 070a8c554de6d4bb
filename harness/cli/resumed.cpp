#include "cli/resumed.h"

#include "engine/journal/journal.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace deformdiff::cli {
namespace {

using Words = std::vector<std::string>;

/// Flags with a value that, typed again, stand in place of what was typed before.
constexpr std::array<std::string_view, 14> kReplaced{
    "--seed",  "--tier", "--only",   "--shard",   "--cases",    "--time",    "--case-timeout",
    "--known", "--out",  "--guided", "--require", "--progress", "--threads", "--report"};

/// "--cases 5" or "--cases=5".
bool is(const std::string& word, std::string_view flag) {
  return word == flag || (word.starts_with(flag) && word[flag.size()] == '=');
}

Words without(const Words& words, std::string_view flag) {
  Words left;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!is(words[i], flag)) {
      left.push_back(words[i]);
    } else if (words[i] == flag) {
      ++i;  // its value
    }
  }
  return left;
}

}  // namespace

Options as_resumed(const Options& typed) {
  if (!typed.resume || typed.says_what_to_run) return typed;
  const std::vector<JournalledRun> runs = read_journal(typed.out);
  if (runs.size() != 1) return typed;  // refused where the run is resumed
  Words words = runs.front().run.command_line;
  for (const std::string_view flag : kReplaced) {
    if (std::ranges::any_of(typed.words, [&](const auto& word) { return is(word, flag); })) {
      words = without(words, flag);
    }
  }
  // Of one sitting alone.
  std::erase_if(
      words, [](const auto& word) { return word == "--resume" || word == "--quiet" || word == "--verbose"; });
  words.insert(words.end(), typed.words.begin() + 1, typed.words.end());
  std::vector<const char*> argv{"deformdiff"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  return parse_options(static_cast<int>(argv.size()), argv.data());
}

}  // namespace deformdiff::cli
