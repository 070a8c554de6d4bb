// The parts of emitted scripts that are the same in all of them, as Python's source.
#pragma once

#include <string_view>

namespace deformdiff::cli {

/// What a tensor may be: class Expected, with check(values).
inline constexpr std::string_view kExpectedClass = R"(
FINITE, NAN, PLUS_INF, MINUS_INF, ANYTHING = 1, 2, 4, 8, 16


def numbers(data):
    """A list, or the doubles that a text in base64 holds."""
    return data if isinstance(data, list) else array.array("d", base64.b64decode(data)).tolist()


def rounded(fraction):
    try:
        return float(fraction)
    except OverflowError:
        return inf if fraction > 0 else -inf


class Expected:
    """What every correct evaluation gives: wanted + low +- radius, or a number of another kind. Where there is
    a jump, or a number in another such interval: element, wanted, low and radius of each."""

    def __init__(self, name, dtype, shape, wanted, radius, low=None, kinds=None, others=()):
        self.name, self.dtype, self.shape = name, dtype, shape
        self.wanted, self.radius = numbers(wanted), numbers(radius)
        self.low = [0.0] * len(self.wanted) if low is None else numbers(low)
        self.kinds = [FINITE] * len(self.wanted) if kinds is None else [int(k) for k in numbers(kinds)]
        self.others = {}
        for i, *other in others:
            self.others.setdefault(i, []).append(other)

    def intervals(self, i):
        """Middle and radius of each."""
        all_of = [(self.wanted[i], self.low[i], self.radius[i]), *self.others.get(i, [])]
        return [(Fraction(wanted) + Fraction(low), radius) for wanted, low, radius in all_of]

    def excess(self, i, got):
        """Error beside the radius: more than 1 is wrong."""
        kinds = self.kinds[i]
        if kinds & ANYTHING:
            return 0
        if isnan(got):
            return 0 if kinds & NAN else inf
        if got in (inf, -inf):
            return 0 if kinds & (PLUS_INF if got > 0 else MINUS_INF) else inf
        if not kinds & FINITE:
            return inf
        if self.radius[i] == inf:
            return 0
        excesses = []
        for middle, radius in self.intervals(i):
            error = abs(Fraction(got) - middle)
            excesses.append(0 if error == 0 else inf if radius == 0 else error / Fraction(radius))
        return min(excesses)

    def interval(self, i):
        words = []
        if self.kinds[i] & FINITE and self.radius[i] == inf:
            words.append("any number")
        elif self.kinds[i] & FINITE:
            for middle, radius in self.intervals(i):
                low, high = (rounded(middle + s * Fraction(radius)) for s in (-1, 1))
                words.append(repr(low) if low == high else f"a number from {low!r} to {high!r}")
        named = ((NAN, "nan"), (PLUS_INF, "inf"), (MINUS_INF, "-inf"))
        return " or ".join(words + [word for kind, word in named if self.kinds[i] & kind])

    def element(self, i):
        position = []
        for side in reversed(self.shape):
            position.insert(0, i % side)
            i //= side
        return f"{self.name}{position}"

    def check(self, values, remark=lambda i: None):
        """Prints the worst element that is wrong; whether there is one."""
        wrong = [i for i, got in enumerate(values) if self.excess(i, got) > 1]
        if not wrong:
            print(f"{self.name}: {len(values)} of {len(values)} elements are as expected")
            return False
        i = max(wrong, key=lambda i: self.excess(i, values[i]))
        print(f"{self.element(i)}\n  expected {self.interval(i)}\n  got      {values[i]!r}")
        remark(i)
        print(f"  {len(wrong)} of {len(values)} elements of {self.name} are wrong")
        return True
)";

inline constexpr std::string_view kTorchTensor = R"(

def tensor(dtype, shape, data, strides=None, offset=0):
    dtype = getattr(torch, dtype)
    if isinstance(data, list):
        storage = torch.tensor(data, dtype=dtype)
    else:
        storage = torch.frombuffer(bytearray(base64.b64decode(data)), dtype=dtype)
    storage = storage.to(DEVICE)
    return storage.reshape(shape) if strides is None else torch.as_strided(storage, shape, strides, offset)


def values_of(tensor):
    return tensor.detach().cpu().to(torch.float64).flatten().tolist()
)";

inline constexpr std::string_view kNumpyTensor = R"(

def tensor(dtype, shape, data):
    if isinstance(data, list):
        return np.array(data, dtype).reshape(shape)
    return np.frombuffer(base64.b64decode(data), dtype).reshape(shape)


def values_of(tensor):
    return [float(value) for value in np.asarray(tensor).flat]
)";

/// Of what is called: shows(), one run, on make_calls() and call().
inline constexpr std::string_view kCalled = R"(

def bits(tensor):
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).clone()


def same(first, second):
    return len(first) == len(second) and all(torch.equal(bits(a), bits(b)) for a, b in zip(first, second))


def fails(results, inputs, before):
    """Prints what is wrong with a call's results; whether something is."""
    failed = len(results) != len(EXPECTED)
    if failed:
        print(f"expected {len(EXPECTED)} tensors\n  got      {len(results)}")
    for expected, result in zip(EXPECTED, results):
        dtype, shape = str(result.dtype).split(".")[-1], tuple(result.shape)
        if (dtype, shape) != (expected.dtype, expected.shape):
            print(f"{expected.name}\n  expected {expected.dtype} {expected.shape}\n  got      {dtype} {shape}")
            failed = True
        elif expected.check(values_of(result)):
            failed = True
    if not all(torch.equal(was, bits(tensor)) for was, tensor in zip(before, inputs)):
        print("an input was changed")
        failed = True
    if TWICE and not same(results, call(make_calls()[-1])):
        print("a second call with the same inputs gave other bits")
        failed = True
    return failed


def shows():
    """One run: whether the failure shows."""
    load()
    *earlier, inputs = make_calls()
    for each in earlier:
        call(each)
    before = [bits(tensor) for tensor in inputs]
    try:
        results = call(inputs)
    except NotImplementedError:
        raise
    except Exception as error:
        print(f"expected a result\n  got      {type(error).__name__}: {error}")
        return True
    return fails(results, inputs, before)
)";

/// In place of calling shows(): in a process of its own, for what dies or hangs.
inline constexpr std::string_view kInChild = R"(

def shows_in_a_process_of_its_own():
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        try:
            code = 100 + shows()
        except Exception:
            traceback.print_exc()
            code = 102
        sys.stdout.flush()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 102:
        raise RuntimeError("it could not be called")
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) in (100, 101):
        return os.WEXITSTATUS(status) == 101
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        end = f"nothing within {SECONDS} seconds"
    elif os.WIFSIGNALED(status):
        end = f"the process died of {signal.Signals(os.WTERMSIG(status)).name}"
    else:
        end = f"the process ended with exit code {os.WEXITSTATUS(status)}"
    print(f"expected a result\n  got      {end}")
    return True
)";

/// The end, on main().
inline constexpr std::string_view kEnd = R"(

if __name__ == "__main__":
    try:
        code = 1 if main() else 0
    except Exception:
        traceback.print_exc()
        code = 2
    print(("The failure does not show.", "The failure shows.", "It could not be run.")[code])
    sys.exit(code)
)";

}  // namespace deformdiff::cli
