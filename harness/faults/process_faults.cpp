#include "faults/fault.h"
#include "subjects/ms_deform_attn/forward.h"

#include <atomic>
#include <bit>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <ATen/ops/empty_like.h>
#include <c10/util/Exception.h>

namespace deformdiff::worker {
namespace {

using ms_deform_attn::Inputs;

/// What a fault does with the inputs and the right answer; returns what it hands out.
using Deed = std::function<at::Tensor(const Inputs&, at::Tensor)>;

bool is_triggered(const Inputs& inputs) {
  return inputs.value.size(0) * inputs.sampling_loc.size(1) % 2 == 1;
}

std::unique_ptr<Subject> fault(std::string name, std::string faulty, std::string expected, Deed deed) {
  SubjectInfo info = fused_info(std::move(name));
  info.fault_class = faulty.empty() ? "control" : "process";
  info.faulty = std::move(faulty);
  info.expected = std::move(expected);
  return make_ms_deform_attn_subject(std::move(info), [deed = std::move(deed)](const Inputs& inputs) {
    at::Tensor right = ms_deform_attn::forward_operator(inputs);
    return is_triggered(inputs) ? deed(inputs, std::move(right)) : right;
  });
}

std::byte* bytes_of(const at::Tensor& tensor) {
  return static_cast<std::byte*>(tensor.mutable_data_ptr());
}

at::Tensor segfault(const Inputs&, at::Tensor right) {
  volatile std::uintptr_t nowhere = 64;
  *std::bit_cast<int*>(std::uintptr_t{nowhere}) = 1;
  return right;
}

at::Tensor hang(const Inputs&, at::Tensor right) {
  for (volatile bool forever = true; forever;) {
  }
  return right;
}

/// Leaves its group for that of its parent, and a process in a session of its own, and loops for ever.
at::Tensor hide(const Inputs& inputs, at::Tensor right) {
  static_cast<void>(::setpgid(0, ::getpgid(::getppid())));
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    for (;;) ::pause();
  }
  std::fprintf(stderr, "left behind: %d\n", static_cast<int>(child));
  return hang(inputs, std::move(right));
}

/// Takes address space until there is none; where it is not limited, pretends that there is none beyond 64
/// GiB.
at::Tensor eat_memory(const Inputs&, at::Tensor) {
  constexpr std::size_t kMeal = std::size_t{64} << 20;
  constexpr int kFull = 1024;
  std::vector<std::unique_ptr<std::byte[]>> eaten;
  for (int meals = 0; meals < kFull; ++meals) eaten.emplace_back(new std::byte[kMeal]);
  throw std::bad_alloc();
}

/// Into every pipe that this process can write to, the channel among them.
at::Tensor babble(const Inputs&, at::Tensor right) {
  constexpr std::string_view nonsense = "Segmentation fault? Never heard of it.\n";
  for (int descriptor = 3; descriptor < 256; ++descriptor) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISFIFO(status.st_mode)) continue;
    if ((::fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_RDONLY) continue;
    static_cast<void>(!::write(descriptor, nonsense.data(), nonsense.size()));
  }
  return right;
}

at::Tensor print(const Inputs&, at::Tensor right) {
  for (int line = 0; line < 1000; ++line)
    std::printf("attending to line %d, deformably and at some length\n", line);
  std::fflush(stdout);
  return right;
}

at::Tensor overrun(const Inputs&, at::Tensor right) {
  if (right.numel() > 0) bytes_of(right)[right.nbytes()] = std::byte{0};
  return right;
}

at::Tensor underrun(const Inputs&, at::Tensor right) {
  if (right.numel() > 0) bytes_of(right)[-1] = std::byte{0};
  return right;
}

at::Tensor modify_input(const Inputs& inputs, at::Tensor right) {
  if (inputs.attn_weight.numel() > 0) bytes_of(inputs.attn_weight)[0] ^= std::byte{1};
  return right;
}

/// What memory still holds is the same.
at::Tensor transpose_input(const Inputs& inputs, at::Tensor right) {
  at::Tensor(inputs.sampling_loc).transpose_(0, 5);
  return right;
}

at::Tensor resize_input(const Inputs& inputs, at::Tensor right) {
  at::Tensor(inputs.attn_weight).resize_({1});
  return right;
}

/// A program's own memory is its own, but this also has descriptors that it was given.
at::Tensor damage_descriptors(const Inputs&, at::Tensor right) {
  constexpr off_t kFar = off_t{1} << 50;
  for (int descriptor = 0; descriptor < 64; ++descriptor) {
    static_cast<void>(!::ftruncate(descriptor, 0));
    static_cast<void>(!::ftruncate(descriptor, kFar));
  }
  return right;
}

struct Speechless : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

at::Tensor leave_poison(const Inputs&, at::Tensor right) {
  at::Tensor partly = at::empty_like(right);
  std::copy_n(bytes_of(right), right.nbytes() / 2 / right.element_size() * right.element_size(),
              bytes_of(partly));
  return partly;
}

/// Changes the last bit of the first element that uses it, on every other call: within any bound.
template <typename Word>
void flip_last_bit(const at::Tensor& tensor) {
  auto* words = reinterpret_cast<Word*>(bytes_of(tensor));
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    if (words[i] % 2 == 0) continue;
    words[i] -= 1;
    return;
  }
}

at::Tensor alternate(const Inputs&, at::Tensor right) {
  static std::atomic<int> calls = 0;
  if (calls++ % 2 == 0) return right;
  right.element_size() == 8   ? flip_last_bit<std::uint64_t>(right)
  : right.element_size() == 4 ? flip_last_bit<std::uint32_t>(right)
                              : flip_last_bit<std::uint16_t>(right);
  return right;
}

/// Hands out the same tensor again and again, as code with a workspace does.
Deed modify_earlier_output() {
  return [workspace = at::Tensor()](const Inputs&, at::Tensor right) mutable {
    if (workspace.defined() && workspace.nbytes() > 0) bytes_of(workspace)[0] ^= std::byte{1};
    workspace = right;
    return right;
  };
}

}  // namespace

SubjectList process_faults() {
  SubjectList list;
  const auto add = [&list](const char* name, const char* faulty, const char* expected, Deed deed) {
    list.push_back(fault(name, faulty, expected, std::move(deed)));
  };
  const auto then = [](void (*act)()) {
    return [act](const Inputs&, at::Tensor right) {
      act();
      return right;
    };
  };
  add("fault/segfaults", "writes to address 64", "crashed", segfault);
  add("fault/aborts", "calls abort()", "crashed", then([] { std::abort(); }));
  add("fault/killed", "kills itself as the system does when memory runs out", "crashed",
      then([] { static_cast<void>(std::raise(SIGKILL)); }));
  add("fault/stops", "stops itself, and waits to be continued", "crashed",
      then([] { static_cast<void>(std::raise(SIGSTOP)); }));
  add("fault/exits", "calls exit(0)", "crashed", then([] { std::exit(0); }));
  add("fault/babbles", "writes nonsense into the channel", "crashed", babble);
  add("fault/hangs", "loops for ever", "timed_out", hang);
  add("fault/hides", "leaves its process group, starts a process elsewhere and loops for ever", "timed_out",
      hide);
  add("fault/eats_memory", "allocates until it gets no more", "threw", eat_memory);
  add("fault/throws", "throws on valid input", "threw",
      then([] { TORCH_CHECK(false, "the stars are not right"); }));
  add("fault/throws_nothing", "throws an exception whose what() is null", "threw",
      then([] { throw Speechless(); }));
  add("fault/throws_at_length", "throws 200 MB of text, not all of it printable", "threw", then([] {
        throw std::runtime_error("the stars \x01\xff are " + std::string(std::size_t{200} << 20, '*'));
      }));
  add("fault/closes_descriptors", "closes every descriptor", "crashed",
      then([] { ::close_range(0, ~0U, 0); }));
  add("control/damages_descriptors", "", "agree", damage_descriptors);
  add("fault/overruns", "writes past its output", "overran_buffer", overrun);
  add("fault/underruns", "writes in front of its output", "overran_buffer", underrun);
  add("fault/modifies_input", "flips a bit of attn_weight", "modified_input", modify_input);
  add("fault/transposes_input", "transposes sampling_loc in place", "modified_input", transpose_input);
  add("fault/resizes_input", "resizes attn_weight in place", "modified_input", resize_input);
  add("fault/modifies_earlier_output", "changes the result that it handed out before", "modified_input",
      modify_earlier_output());
  add("fault/leaves_poison", "does not write the second half of its output", "unwritten_output",
      leave_poison);
  add("fault/wrong_shape", "flattens batch and queries", "wrong_structure",
      [](const Inputs&, at::Tensor right) { return right.flatten(0, 1); });
  add("fault/wrong_dtype", "returns float32 for float64 and the reverse", "wrong_structure",
      [](const Inputs&, at::Tensor right) {
        return right.to(right.scalar_type() == at::kFloat ? at::kDouble : at::kFloat);
      });
  add("fault/nondeterministic", "changes the last bit of an element on every other call", "nondeterministic",
      alternate);
  add("control/prints", "", "agree", print);
  return list;
}

}  // namespace deformdiff::worker
