#include "core/case_file.h"
#include "core/element_text.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "core/sha256.h"
#include "core/strict_json.h"

#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace deformdiff {
namespace {

constexpr std::size_t kLineWidth = 100;
constexpr std::int64_t kShortRow = 8;  ///< rows up to this long are joined with their neighbours on a line
constexpr std::size_t kHashDigits = 12;

std::string json_string(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Elements to a line: the last axis, and those before it while lines stay short.
std::int64_t row_length(const Shape& shape) {
  std::int64_t row = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (row > 1 && row * shape[axis] > kShortRow) break;
    row *= std::max<std::int64_t>(shape[axis], 1);
  }
  return row;
}

/// Words in lines of at most kLineWidth, a new one after every `row` words as well.
std::string wrapped(const std::vector<std::string>& words, std::int64_t row, const std::string& indent) {
  std::string text = indent;
  std::size_t column = indent.size();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool row_ends = i % static_cast<std::size_t>(row) == 0;
    if (i > 0 && (row_ends || column + words[i].size() + 2 > kLineWidth)) {
      text += ",\n" + indent;
      column = indent.size();
    } else if (i > 0) {
      text += ", ";
      column += 2;
    }
    text += words[i];
    column += words[i].size();
  }
  return text;
}

/// Builds the text; large tensors are put aside for the companion file.
class Writer {
 public:
  explicit Writer(std::string companion_stem) : companion_stem_(std::move(companion_stem)) {}

  std::string text(const SavedCase& saved) {
    collect(saved);
    std::string out = "{\n  \"deformdiff_case\": 1,\n";
    if (!saved.note.empty()) out += field("note", json_string(saved.note));
    out += field("block", json_string(saved.problem.block));
    out += field("expect", json_string(saved.expectation));
    if (!saved.subject.empty()) out += field("subject", json_string(saved.subject));
    if (!saved.subject_sha256.empty()) out += field("subject_sha256", json_string(saved.subject_sha256));
    if (saved.signature) out += field("signature", signature(*saved.signature));
    if (const auto& seen = saved.reproduction) {
      out += field("reproduction", fmt::format("{{\"seen\": {}, \"runs\": {}}}", seen->seen, seen->runs));
    }
    out += problem(saved.problem, "  ", "in.");
    if (!saved.earlier_calls.empty()) {
      out += ",\n  \"earlier_calls\": [";
      for (std::size_t i = 0; i < saved.earlier_calls.size(); ++i) {
        const Case& call = saved.earlier_calls[i];
        out += fmt::format("{}\n    {{\n      \"block\": {},\n", i > 0 ? "," : "", json_string(call.block));
        out += problem(call, "      ", fmt::format("earlier.{}.", i)) + "\n    }";
      }
      out += "\n  ]";
    }
    return out + "\n}\n";
  }

  const std::string& companion_name() const { return companion_name_; }
  const std::string& companion_bytes() const { return companion_bytes_; }

 private:
  static bool is_large(const Tensor& tensor) {
    return tensor.storage().size() / size_of(tensor.dtype()) > static_cast<std::size_t>(kInlineElements);
  }

  /// The companion's name holds its hash, so its bytes must be known before any text is written.
  void collect(const SavedCase& saved) {
    SafetensorsFile file;
    const auto add = [&](const Case& c, const std::string& prefix) {
      for (const NamedTensor& input : c.inputs) {
        if (!is_large(input.tensor)) continue;
        const auto storage = input.tensor.storage();
        const auto count = static_cast<std::int64_t>(storage.size() / size_of(input.tensor.dtype()));
        file.tensors.push_back({prefix + input.name, Tensor(input.tensor.dtype(), {count},
                                                            Tensor::Bytes(storage.begin(), storage.end()))});
      }
    };
    add(saved.problem, "in.");
    for (std::size_t i = 0; i < saved.earlier_calls.size(); ++i) {
      add(saved.earlier_calls[i], fmt::format("earlier.{}.", i));
    }
    if (file.tensors.empty()) return;
    companion_bytes_ = safetensors_bytes(file);
    companion_sha256_ = sha256_hex(std::as_bytes(std::span(companion_bytes_)));
    companion_name_ =
        fmt::format("{}.{}.safetensors", companion_stem_, companion_sha256_.substr(0, kHashDigits));
  }

  static std::string field(const char* key, const std::string& value) {
    return fmt::format("  \"{}\": {},\n", key, value);
  }

  static std::string signature(const Signature& s) {
    return fmt::format("{{\"block\": {}, \"subject\": {}, \"rule\": {}, \"output\": {}, \"class\": {}}}",
                       json_string(s.block), json_string(s.subject), json_string(s.rule),
                       json_string(s.output), json_string(s.element_class));
  }

  std::string problem(const Case& c, const std::string& indent, const std::string& prefix) {
    std::string out;
    if (c.provenance != Provenance{}) {
      const Provenance& p = c.provenance;
      out +=
          fmt::format("{}\"provenance\": {{\"generator\": {}, \"tier\": {}, \"seed\": {}, \"index\": {}}},\n",
                      indent, json_string(p.generator), json_string(p.tier), p.seed, p.index);
    }
    std::vector<std::string> attributes;
    for (const auto& [name, value] : c.attributes)
      attributes.push_back(fmt::format("{}: {}", json_string(name), value));
    out += fmt::format("{}\"attributes\": {{{}}},\n{}\"inputs\": {{", indent, fmt::join(attributes, ", "),
                       indent);
    for (std::size_t i = 0; i < c.inputs.size(); ++i) {
      out += fmt::format("{}\n{}  {}: {}", i > 0 ? "," : "", indent, json_string(c.inputs[i].name),
                         tensor(c.inputs[i].tensor, indent + "  ", prefix + c.inputs[i].name));
    }
    return out + "\n" + indent + "}";
  }

  std::string tensor(const Tensor& t, const std::string& indent, const std::string& name) {
    std::string out =
        fmt::format("{{\"dtype\": \"{}\", \"shape\": {}", name_of(t.dtype()), to_string(t.shape()));
    const std::size_t count = t.storage().size() / size_of(t.dtype());
    const bool plain = t.strides() == contiguous_strides(t.shape()) && t.offset() == 0 &&
                       count == static_cast<std::size_t>(t.elements());
    if (!plain) out += fmt::format(", \"strides\": {}, \"offset\": {}", to_string(t.strides()), t.offset());
    if (is_large(t)) {
      return out + fmt::format(",\n{}  \"file\": {}, \"tensor\": {},\n{}  \"sha256\": \"{}\"}}", indent,
                               json_string(companion_name_), json_string(name), indent, companion_sha256_);
    }
    std::vector<std::string> words(count);
    for (std::size_t i = 0; i < count; ++i) {
      words[i] = element_text(t.dtype(), t.storage().data() + i * size_of(t.dtype()));
    }
    std::size_t length = 0;
    for (const std::string& word : words) length += word.size() + 2;
    if (static_cast<std::int64_t>(count) <= row_length(t.shape()) &&
        out.size() + indent.size() + length < kLineWidth) {
      return out + fmt::format(", \"data\": [{}]}}", fmt::join(words, ", "));
    }
    return out + fmt::format(", \"data\": [\n{}]}}", wrapped(words, row_length(t.shape()), indent + "  "));
  }

  std::string companion_stem_;
  std::string companion_name_;
  std::string companion_bytes_;
  std::string companion_sha256_;
};

bool is_companion(const std::string& name, const std::string& stem) {
  const std::string suffix = ".safetensors";
  return name.size() == stem.size() + 1 + kHashDigits + suffix.size() && name.starts_with(stem + ".") &&
         name.ends_with(suffix);
}

}  // namespace

void write_case(const std::filesystem::path& path, const SavedCase& saved) {
  const std::string stem = path.stem().string();
  Writer writer(stem);
  const std::string text = writer.text(saved);
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    // A device or a pipe has no folder for others.
    if (!writer.companion_name().empty()) {
      throw InputError(fmt::format(
          "{}: cannot be written: large tensors lie in a file beside the case, so a regular file is wanted",
          path.string()));
    }
    write_file(path, text);
    return;
  }
  const std::filesystem::path companion = path.parent_path() / writer.companion_name();
  const bool has_companion = !writer.companion_name().empty();
  const bool is_new = has_companion && !std::filesystem::exists(companion, ignored);
  if (has_companion) write_file(companion, writer.companion_bytes());
  try {
    write_file(path, text);
  } catch (const InputError&) {
    if (is_new) std::filesystem::remove(companion, ignored);
    throw;
  }
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (is_companion(name, stem) && name != writer.companion_name())
      std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace deformdiff
