#!/usr/bin/env python3
"""Compiles CUDA source of PyTorch operators for the CPU, with every fault of a kernel as an exception.

  emulate.py FILE... -o DIR                       rewrites FILEs, and what they include of their own, into DIR
  emulate.py FILE... -o DIR --library LIB.so --torch DIR [FLAG...]
                                                  also compiles them into a library of operators

A .cu becomes a .cpp. FLAGs go to the compiler (CXX, else g++): -I, -D, ... They may name folders of headers,
in which included files are looked for; those of the system and of PyTorch are left as they are.
"""
import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RUNTIME = ("accesses buffers fiber launch machine memory runtime_api shadow source_line torch_buffers").split()

NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
SHARED = re.compile(r"extern\s+((?:__shared__|__align__\s*\([^()]*(?:\([^()]*\))?[^()]*\)|"
                    r"alignas\s*\([^()]*(?:\([^()]*\))?[^()]*\)|\s)+)([\w:\s]+?)\s+(\w+)\s*\[\s*\]\s*;")


class Error(Exception):
    pass


def masked(text):
    """The text with comments and literals blanked, everything else where it was."""
    return NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def closing(code, position, path):
    """Where the bracket at `position` closes."""
    depth = 0
    for i in range(position, len(code)):
        depth += (code[i] in "([{") - (code[i] in ")]}")
        if depth == 0:
            return i
    raise Error(f"{path}:{line_of(code, position)}: a bracket that does not close")


def start_of_kernel(code, end, path):
    """Where the name before <<< begins, with its namespaces and template arguments."""
    i = end
    while code[i - 1].isspace():
        i -= 1
    if code[i - 1] == ">":
        depth = 0
        while i > 0:
            i -= 1
            depth += (code[i] in ">)") - (code[i] in "<(")
            if depth == 0:
                break
        while code[i - 1].isspace():
            i -= 1
    name = re.search(r"[\w:]+$", code[:i])
    if not name:
        raise Error(f"{path}:{line_of(code, end)}: no kernel's name before <<<")
    return name.start()


def rewrite_launches(text, path):
    while True:
        code = masked(text)
        begin = code.find("<<<")
        if begin < 0:
            return text
        end = code.find(">>>", begin)
        if end < 0:
            raise Error(f"{path}:{line_of(code, begin)}: <<< without >>>")
        bracket = code.find("(", end)
        if bracket < 0 or code[end + 3:bracket].strip():
            raise Error(f"{path}:{line_of(code, end)}: no arguments after >>>")
        last = closing(code, bracket, path)
        first = start_of_kernel(code, begin, path)
        kernel = text[first:begin].rstrip()
        separator = ", " if code[bracket + 1:last].strip() else ""
        call = (f'::deformdiff::emulation::launch_as_cuda(DEFORMDIFF_NAME({kernel}), {kernel}, '
                f"::deformdiff::emulation::Configuration({text[begin + 3:end]}){separator}"
                + text[bracket + 1:last])
        # Lines keep their numbers.
        lost = text.count("\n", first, last) - call.count("\n")
        line_end = "\\\n" if "\\\n" in text[first:last] else "\n"
        text = text[:first] + call + line_end * lost + ")" + text[last + 1:]


def rewrite_shared(text, path):
    def pointer(match):
        if "__shared__" not in match.group(1):
            return match.group()
        if match.string.count("{", 0, match.start()) == match.string.count("}", 0, match.start()):
            raise Error(f"{path}:{line_of(match.string, match.start())}: extern __shared__ outside a function: "
                        "move it into the kernel")
        lines = "\n" * match.group().count("\n")
        kind, name = match.group(2), match.group(3)
        return f"{kind}* const {name} = ::deformdiff::emulation::dynamic_shared<{kind}>();{lines}"

    return SHARED.sub(pointer, text)


def rewrite(text, path):
    text = rewrite_launches(text, path)
    text = rewrite_shared(text, path)
    text = re.sub(r"\b__noinline__\b", "__attribute__((noinline))", text)
    # Tensors of the emulated device are on the CPU.
    text = re.sub(r"(\.type\(\))?\.is_cuda\(\)", ".is_cpu()", text)
    return f'#line 1 "{path}"\n' + text


def included(text, path, folders):
    """What the file includes of its own, as found beside it or in the folders: (as written, where)."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', text, re.MULTILINE):
        for folder in [path.parent, *folders]:
            if (folder / match.group(1)).is_file():
                yield match.group(1), folder / match.group(1)
                break


def rewrite_all(files, folders, out):
    """Rewrites the files into `out`; gives the sources to compile."""
    sources, waiting, done = [], [], set()
    for file in files:
        name = file.name + ".cpp" if file.suffix == ".cu" else file.name
        waiting.append((file, name))
        if file.suffix in (".cu", ".cpp", ".cc"):
            sources.append(out / name)
    while waiting:
        file, name = waiting.pop()
        target = out / name
        if target.resolve() in done:
            continue
        done.add(target.resolve())
        text = file.read_text()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rewrite(text, file))
        for as_written, where in included(text, file, folders):
            nested = pathlib.Path(name).parent / as_written if where.parent == file.parent else as_written
            waiting.append((where, str(nested)))
    return sources


def run(command):
    if subprocess.run(command).returncode != 0:
        raise Error("this command failed:\n  " + shlex.join(map(str, command)))


def build(sources, out, library, torch, flags):
    if not (torch / "lib" / "libtorch_cpu.so").exists():
        raise Error(f"--torch {torch}: no lib/libtorch_cpu.so there")
    compiler = shlex.split(os.environ.get("CXX", "g++"))
    common = ["-std=c++20", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-g1", "-DNDEBUG", "-w",
              f"-I{HERE.parent}", "-isystem", torch / "include", "-isystem",
              torch / "include/torch/csrc/api/include"]
    objects = []
    for source, options in ([(s, ["-O1", "-fsanitize=thread", "-fno-strict-aliasing", f"-I{HERE / 'include'}", f"-I{out}", *flags]) for s in sources]
                            + [(HERE / f"{name}.cpp", ["-O2"]) for name in RUNTIME]):
        objects.append(out / (source.name + ".o"))
        run([*compiler, *common, *options, "-c", source, "-o", objects[-1]])
    # Not linked with -fsanitize=thread: accesses.cpp is there in place of that library.
    run([*compiler, "-shared", *objects, "-o", library, f"-L{torch / 'lib'}", f"-Wl,-rpath,{torch / 'lib'}",
         "-Wl,-Bsymbolic", "-ltorch_cpu", "-lc10", "-lboost_context"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=pathlib.Path, metavar="FILE")
    parser.add_argument("-o", dest="out", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--library", type=pathlib.Path, metavar="LIB.so")
    parser.add_argument("--torch", type=pathlib.Path, metavar="DIR", help="LibTorch: the folder with include/ and lib/")
    options, flags = parser.parse_known_args()
    try:
        if options.library and not options.torch:
            raise Error("--library needs --torch")
        folders = [pathlib.Path(flag[2:]) for flag in flags if flag.startswith("-I")]
        sources = rewrite_all(options.files, folders, options.out)
        if options.library:
            build(sources, options.out, options.library, options.torch, flags)
    except (Error, OSError) as error:
        sys.exit(f"emulate.py: {error}")


if __name__ == "__main__":
    main()
