#include "core/arbitrary_case_test.h"
#include "core/random.h"
#include "core/wire/fork.h"
#include "core/wire/hello.h"
#include "core/wire/module.h"
#include "core/wire/run.h"

#include <cstring>
#include <functional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace deformdiff::wire {
namespace {

using Bytes = std::vector<std::byte>;

Bytes data_of(const Message& message) {
  Bytes data;
  for (const auto piece : message.data) data.insert(data.end(), piece.begin(), piece.end());
  EXPECT_EQ(data.size(), message.data_size);
  return data;
}

Case without_provenance(Case c) {
  c.provenance = {};
  return c;
}

/// A message and its data in one piece, as in the pipe.
struct Whole {
  std::string header;
  Bytes data;
};

Whole whole(const Message& message) {
  return {message.header, data_of(message)};
}

Tensor counting(DType dtype, Shape shape) {
  Tensor::Bytes bytes(static_cast<std::size_t>(element_count(shape)) * size_of(dtype));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return Tensor(dtype, std::move(shape), std::move(bytes));
}

RunRequest some_request() {
  const auto storage = std::make_shared<const Tensor::Bytes>(Tensor::Bytes(96));
  Case c{"ms_deform_attn", {{"im2col_step", 64}}, {}, {}};
  c.inputs = {{"value", Tensor(DType::kFloat32, {2, 3}, {0, 5}, 2, storage)},
              {"spatial_shapes", counting(DType::kInt64, {1, 2})}};
  return {"cpu", {.twice = true, .tap = true, .at_once = true, .packed = true}, {c, c}};
}

RunResult some_result() {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kReturned;
  outcome.message = "\"quoted\"\n";
  outcome.seconds = 0x1.23456789ABCDFp-9;
  outcome.overran = "after the output";
  outcome.modified = "value";
  outcome.unwritten_output = "output";
  outcome.first_unwritten = 7;
  outcome.ran_twice = true;
  outcome.repeated_bits = false;
  outcome.other_bits = {"second"};
  outcome.outputs = {{"output", counting(DType::kFloat64, {3, 2})}, {"a", counting(DType::kFloat32, {0, 4})}};
  return {5, outcome, true};
}

ModuleDescription some_description() {
  ModuleDescription module;
  module.parameters = {{"b.weight", counting(DType::kFloat32, {2, 3})},
                       {"a.bias", counting(DType::kFloat16, {2})}};
  module.buffers = {{"b.weight", counting(DType::kInt64, {})}};
  module.inputs = {{"x", "Tensor", true, Shape{1, 4, 0}}, {"n", "int", false, {}}};
  module.outputs = {"[0]", "[1].masks"};
  module.returns = "(Tensor, Dict(str, Tensor))";
  module.training = true;
  module.audit = {{"large_constant", "a \"detail\"", "%3 : Tensor = prim::Constant()", "a.b"}, {}};
  module.notes = {"a note"};
  module.unread = {"a.bias"};
  return module;
}

Hello some_hello() {
  SubjectInfo info;
  info.name = "torchop:a.so#b";
  info.device = "cuda";
  info.blocks = {"a", "b"};
  info.dtypes = {DType::kFloat64};
  info.mixed_dtypes = {DType::kBFloat16};
  info.supports = "D%8==0,L<=4";
  info.precision = {Arithmetic::kStorage, Unseen::kRounded,   Coordinates::kGridSample, true,
                    Variance::kCentred,   {1, 0.5, 3.5, 0, 2}};
  info.contract.deterministic = Deterministic::kNo;
  info.contract.level_start_index = LevelStartIndex::kIgnored;
  info.fault_class = "coordinates";
  info.faulty = "swaps x and y";
  info.expected = "out_of_bound";
  return {{info, SubjectInfo{.name = "plain", .device = "cpu"}}, {{"gpu", "none"}}, "no such operator"};
}

TEST(Wire, HelloComesBack) {
  const Hello sent = some_hello();
  const Whole message = whole(encode(sent));
  const Hello got = decode_hello(message.header, message.data);
  EXPECT_EQ(got.environment, sent.environment);
  EXPECT_EQ(got.refusal, sent.refusal);
  ASSERT_EQ(got.subjects.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const SubjectInfo &a = got.subjects[i], &b = sent.subjects[i];
    EXPECT_EQ(std::tie(a.name, a.device, a.blocks, a.dtypes, a.mixed_dtypes, a.supports),
              std::tie(b.name, b.device, b.blocks, b.dtypes, b.mixed_dtypes, b.supports));
    EXPECT_EQ(std::tie(a.precision, a.contract), std::tie(b.precision, b.contract));
    EXPECT_EQ(std::tie(a.not_run, a.fault_class, a.faulty, a.trigger, a.expected),
              std::tie(b.not_run, b.fault_class, b.faulty, b.trigger, b.expected));
  }
}

TEST(Wire, ResultComesBack) {
  RunResult sent = some_result();
  sent.outcome.at_once = {{"output", counting(DType::kFloat64, {6})}};
  sent.outcome.packed = {{"output", counting(DType::kFloat64, {5})}};
  const Whole message = whole(encode(sent));
  const RunResult got = decode_run_result(message.header, message.data);
  EXPECT_EQ(got.position, sent.position);
  EXPECT_EQ(got.more, sent.more);
  const Outcome &a = got.outcome, &b = sent.outcome;
  EXPECT_EQ(std::tie(a.kind, a.message, a.outputs, a.seconds, a.overran, a.modified),
            std::tie(b.kind, b.message, b.outputs, b.seconds, b.overran, b.modified));
  EXPECT_EQ(a.at_once, b.at_once);
  EXPECT_EQ(a.packed, b.packed);
  EXPECT_EQ(std::tie(a.unwritten_output, a.first_unwritten, a.ran_twice, a.repeated_bits, a.other_bits),
            std::tie(b.unwritten_output, b.first_unwritten, b.ran_twice, b.repeated_bits, b.other_bits));
}

TEST(Wire, DescriptionComesBack) {
  const Whole request = whole(encode(DescribeRequest{}));
  EXPECT_EQ(kind_of_message(request.header, request.data), "describe");
  for (const ModuleDescription& sent : {some_description(), ModuleDescription{}}) {
    const Whole message = whole(encode(sent));
    EXPECT_EQ(decode_module_description(message.header, message.data), sent);
  }
}

RC_GTEST_PROP(Wire, RequestsComeBack, ()) {
  RunRequest sent{deformdiff::testing::arbitrary_name(),
                  {*rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()},
                  {}};
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) {
    sent.cases.push_back(without_provenance(deformdiff::testing::arbitrary_problem()));
  }
  const Whole message = whole(encode(sent));
  const RunRequest got = decode_run_request(message.header, message.data);
  RC_ASSERT(got.subject == sent.subject);
  RC_ASSERT(got.mode == sent.mode);
  RC_ASSERT(got.cases == sent.cases);
}

TEST(Wire, TextThatIsNotUtf8IsMarked) {
  RunResult result = some_result();
  result.outcome.message = "caf\xE9 \xF0\x9F\x98\x80";
  const Whole message = whole(encode(result));
  EXPECT_EQ(decode_run_result(message.header, message.data).outcome.message,
            "caf\xEF\xBF\xBD \xF0\x9F\x98\x80");
}

TEST(Wire, AMessageOfAnotherKindIsRefused) {
  const Whole message = whole(encode(some_result()));
  EXPECT_THROW(decode_hello(message.header, message.data), InputError);
  EXPECT_THROW(decode_run_request(message.header, message.data), InputError);
  EXPECT_THROW(decode_module_description(message.header, message.data), InputError);
}

TEST(Wire, DataThatIsMissingIsRefused) {
  Whole message = whole(encode(some_result()));
  message.data.pop_back();
  EXPECT_THROW(decode_run_result(message.header, message.data), InputError);
}

TEST(Wire, AnEmptyTensorOfImpossibleExtentsIsRefused) {
  const Tensor empty = counting(DType::kFloat32, {0, 7, 4});
  RunResult result = some_result();
  result.outcome.outputs = {{"output", empty}};
  std::string header = encode(result).header;
  ASSERT_NO_THROW(decode_run_result(header, {}));
  header.replace(header.find("0,7,4"), 5, "0,4611686018427387904,4");
  EXPECT_THROW(decode_run_result(header, {}), InputError);
}

TEST(Wire, PreludesOfNonsenseAreRefused) {
  const Prelude sent{123456789, 4711};
  const Prelude got = decode_prelude(encode(sent));
  EXPECT_EQ(got.data_size, sent.data_size);
  EXPECT_EQ(got.header_size, sent.header_size);
  std::array<std::byte, Prelude::kBytes> text;
  std::memcpy(text.data(), "Segmentation fault", text.size());
  EXPECT_THROW(decode_prelude(text), InputError);
  text.fill(std::byte{0});
  EXPECT_THROW(decode_prelude(text), InputError);
}

/// Up to four bits flipped, or a piece cut out, doubled, or moved; sometimes the data is cut as well.
Whole mutated(Whole message, std::uint64_t index) {
  const CounterRandom random = CounterRandom(3).stream(index);
  std::uint64_t drawn = 0;
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random.below(drawn++, n)); };
  std::string& text = message.header;
  for (std::size_t changes = 1 + below(4); changes > 0 && !text.empty(); --changes) {
    const std::size_t at = below(text.size());
    const std::size_t length = 1 + below(std::min<std::size_t>(16, text.size() - at));
    switch (below(5)) {
      case 0:
        text.resize(at);
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(below(text.size()), text.substr(at, length));
        break;
      case 3:
        text[at] = "0123456789-{}[]\",:\\"[below(19)];
        break;
      default:
        text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
    }
  }
  if (below(8) == 0) message.data.resize(below(message.data.size() + 1));
  return message;
}

/// How many of the mutations were refused; anything but an InputError fails the test.
std::uint64_t refused(const Whole& valid, std::uint64_t mutations,
                      const std::function<void(const Whole&)>& decode) {
  std::uint64_t count = 0;
  for (std::uint64_t i = 0; i < mutations; ++i) {
    try {
      decode(mutated(valid, i));
    } catch (const InputError&) {
      ++count;
    }
  }
  return count;
}

TEST(Wire, ForkRequestsHandDescriptorsOver) {
  int ends[2], pipe_ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
  ASSERT_EQ(::pipe(pipe_ends), 0);
  FileDescriptor near(ends[0]), far(ends[1]), read_end(pipe_ends[0]), write_end(pipe_ends[1]);
  const std::vector<std::string> words{"--operator", "", "a b\nc"};
  const int given[] = {write_end.get(), read_end.get()};
  ASSERT_TRUE(send_fork_request(near.get(), words, given));
  const ForkRequest request = receive_fork_request(far.get());
  EXPECT_EQ(request.words, words);
  ASSERT_EQ(request.descriptors.size(), 2U);
  ASSERT_TRUE(write_all(request.descriptors[0].get(), "x", 1));
  char got = 0;
  ASSERT_TRUE(read_all(read_end.get(), &got, 1));
  EXPECT_EQ(got, 'x');
  ASSERT_TRUE(send_fork_request(near.get(), {}, given));
  EXPECT_EQ(receive_fork_request(far.get()).words, std::vector<std::string>{});
  const std::vector<std::string> endless{std::string(1 << 20, 'x')};
  EXPECT_FALSE(send_fork_request(near.get(), endless, given));
  ASSERT_TRUE(send_process(far.get(), 1234));
  EXPECT_EQ(receive_process(near.get(), 1000), 1234);
  EXPECT_EQ(receive_process(near.get(), 1), -1);
  far.reset();
  EXPECT_FALSE(send_fork_request(near.get(), words, given));
  EXPECT_EQ(receive_process(near.get(), 1000), -1);
  EXPECT_TRUE(receive_fork_request(near.get()).descriptors.empty());
}

TEST(Wire, AHundredThousandMutationsGiveAMessageOrAnError) {
  constexpr std::uint64_t kEach = 25000;
  const auto request = [](const Whole& m) { decode_run_request(m.header, m.data); };
  const auto result = [](const Whole& m) { decode_run_result(m.header, m.data); };
  const auto hello = [](const Whole& m) { decode_hello(m.header, m.data); };
  const auto description = [](const Whole& m) { decode_module_description(m.header, m.data); };
  EXPECT_GT(refused(whole(encode(some_description())), kEach, description), kEach / 2);
  EXPECT_GT(refused(whole(encode(some_request())), kEach, request), kEach / 2);
  EXPECT_GT(refused(whole(encode(some_result())), kEach, result), kEach / 2);
  EXPECT_GT(refused(whole(encode(some_hello())), kEach, hello), kEach / 2);
}

}  // namespace
}  // namespace deformdiff::wire
