#include "probes/checkpoint/safetensors_header.h"

#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <limits>

#include "base/json.h"
#include "base/numbers.h"

namespace couplingd {
namespace {

constexpr int kMaxSkippedDepth = 32;
constexpr std::size_t kMaxRank = 64;
constexpr std::size_t kMaxShownName = 200;

std::string Shown(std::string_view name) {
  std::string shown = ToValidUtf8(name.substr(0, kMaxShownName));
  std::ranges::replace_if(
      shown, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return shown;
}

struct Entry {
  TensorInfo info;
  std::uint64_t begin = 0, end = 0;  // relative to the data
};

// Numbers arrive as text, so that 1.0, -0 and 1e3 are told from integers.
class HeaderHandler {
 public:
  bool Null() { return state_ == State::kMetadataStart ? Go(State::kRoot) : Other("null"); }
  bool Bool(bool) { return Other("a boolean"); }
  bool Int(int) { return Other("a number"); }
  bool Uint(unsigned) { return Other("a number"); }
  bool Int64(std::int64_t) { return Other("a number"); }
  bool Uint64(std::uint64_t) { return Other("a number"); }
  bool Double(double) { return Other("a number"); }

  bool RawNumber(const char* text, unsigned length, bool) {
    if (state_ == State::kSkip) return Skipped();
    const auto value = ParseNumber<std::uint64_t>({text, length});
    if (state_ == State::kShape) {
      if (!value || *value > std::numeric_limits<std::int64_t>::max()) {
        return Problem(fmt::format("the dimension {} is not a whole number that fits 63 bits",
                                   std::string_view(text, length)));
      }
      if (entry_.info.shape.size() == kMaxRank) return Problem("more than 64 dimensions");
      entry_.info.shape.push_back(static_cast<std::int64_t>(*value));
      return true;
    }
    if (state_ == State::kOffsets) {
      if (!value) {
        return Problem(fmt::format("the data offset {} is not a whole number that fits 64 bits",
                                   std::string_view(text, length)));
      }
      if (++offsets_ > 2) return Problem("data_offsets has more than two numbers");
      (offsets_ == 1 ? entry_.begin : entry_.end) = *value;
      return true;
    }
    return Other("a number");
  }

  bool String(const char* text, unsigned length, bool) {
    const std::string_view value(text, length);
    if (state_ == State::kMetadataValue) {
      metadata_.at(metadata_key_) = value;
      return Go(State::kMetadata);
    }
    if (state_ != State::kDType) return Other("a string");
    const auto dtype = ParseDType(value);
    if (!dtype) return Problem(fmt::format("unknown dtype \"{}\"", Shown(value)));
    entry_.info.dtype = *dtype;
    return Go(State::kTensor);
  }

  bool StartObject() {
    switch (state_) {
      case State::kStart:
        return Go(State::kRoot);
      case State::kTensorStart:
        return Go(State::kTensor);
      case State::kMetadataStart:
        return Go(State::kMetadata);
      default:
        return Other("an object") && Deeper();
    }
  }

  bool Key(const char* text, unsigned length, bool) {
    const std::string_view key(text, length);
    switch (state_) {
      case State::kRoot:
        return StartEntry(key);
      case State::kTensor:
        return StartField(key);
      case State::kMetadata:
        metadata_key_ = key;
        if (!metadata_.emplace(key, "").second) {
          return Problem(fmt::format("__metadata__ has the key \"{}\" twice", Shown(key)));
        }
        return Go(State::kMetadataValue);
      default:
        return true;
    }
  }

  bool EndObject(unsigned) {
    switch (state_) {
      case State::kRoot:
        return Go(State::kEnd);
      case State::kTensor:
        return FinishEntry();
      case State::kMetadata:
        return Go(State::kRoot);
      default:
        return Shallower();
    }
  }

  bool StartArray() {
    if (state_ == State::kShapeStart) return Go(State::kShape);
    if (state_ == State::kOffsetsStart) return Go(State::kOffsets);
    return Other("an array") && Deeper();
  }

  bool EndArray(unsigned) {
    if (state_ == State::kShape) return Go(State::kTensor);
    if (state_ == State::kOffsets) {
      return offsets_ == 2 ? Go(State::kTensor) : Problem("data_offsets must be two numbers");
    }
    return Shallower();
  }

  std::vector<Entry>& entries() { return entries_; }
  SafetensorsMetadata& metadata() { return metadata_; }
  const std::string& problem() const { return problem_; }

 private:
  enum class State {
    kStart,
    kRoot,
    kEnd,
    kTensorStart,
    kTensor,
    kDType,
    kShapeStart,
    kShape,
    kOffsetsStart,
    kOffsets,
    kMetadataStart,
    kMetadata,
    kMetadataValue,
    kSkip,
  };

  bool Go(State state) {
    state_ = state;
    return true;
  }

  bool Problem(std::string_view cause) {
    const bool in_tensor = !entry_.info.name.empty() || in_entry_;
    problem_ = in_tensor ? fmt::format("tensor \"{}\": {}", Shown(entry_.info.name), cause)
                         : std::string(cause);
    return false;
  }

  bool StartEntry(std::string_view key) {
    if (key == "__metadata__") {
      if (has_metadata_) return Problem("__metadata__ stands twice");
      has_metadata_ = true;
      return Go(State::kMetadataStart);
    }
    entry_ = {};
    entry_.info.name = key;
    in_entry_ = true;
    has_dtype_ = has_shape_ = has_offsets_ = false;
    offsets_ = 0;
    return Go(State::kTensorStart);
  }

  bool StartField(std::string_view key) {
    const auto once = [&](bool& seen, State next) {
      if (std::exchange(seen, true)) {
        return Problem(fmt::format("the field \"{}\" stands twice", key));
      }
      return Go(next);
    };
    if (key == "dtype") return once(has_dtype_, State::kDType);
    if (key == "shape") return once(has_shape_, State::kShapeStart);
    if (key == "data_offsets") return once(has_offsets_, State::kOffsetsStart);
    depth_ = 0;
    return Go(State::kSkip);
  }

  bool FinishEntry() {
    if (!has_dtype_) return Problem("the field \"dtype\" is missing");
    if (!has_shape_) return Problem("the field \"shape\" is missing");
    if (!has_offsets_) return Problem("the field \"data_offsets\" is missing");
    entries_.push_back(std::move(entry_));
    entry_ = {};
    in_entry_ = false;
    return Go(State::kRoot);
  }

  // A value where the format wants another kind, or one of a field that is not ours.
  bool Other(std::string_view kind) {
    switch (state_) {
      case State::kSkip:
        return Skipped();
      case State::kStart:
        return Problem(fmt::format("the header is {}, not an object", kind));
      case State::kTensorStart:
        return Problem(fmt::format("is {}, not an object", kind));
      case State::kDType:
        return Problem(fmt::format("dtype is {}, not a string", kind));
      case State::kShapeStart:
        return Problem(fmt::format("shape is {}, not an array", kind));
      case State::kShape:
        return Problem(fmt::format("shape holds {}, not a number", kind));
      case State::kOffsetsStart:
        return Problem(fmt::format("data_offsets is {}, not an array", kind));
      case State::kOffsets:
        return Problem(fmt::format("data_offsets holds {}, not a number", kind));
      case State::kMetadataStart:
        return Problem(fmt::format("__metadata__ is {}, not an object", kind));
      case State::kMetadataValue:
        return Problem(fmt::format("__metadata__ holds {}, not a string", kind));
      default:
        return Problem(fmt::format("{} where none belongs", kind));
    }
  }

  bool Skipped() {
    if (depth_ == 0) state_ = State::kTensor;
    return true;
  }
  bool Deeper() {
    // Other() left the skipping state at depth 0, where a scalar would have ended the field.
    state_ = State::kSkip;
    return ++depth_ <= kMaxSkippedDepth || Problem("nested too deeply");
  }
  bool Shallower() {
    if (--depth_ == 0) state_ = State::kTensor;
    return true;
  }

  State state_ = State::kStart;
  int depth_ = 0;
  int offsets_ = 0;
  bool in_entry_ = false, has_metadata_ = false;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  Entry entry_;
  std::vector<Entry> entries_;
  SafetensorsMetadata metadata_;
  std::string metadata_key_;
  std::string problem_;
};

std::unexpected<Error> Invalid(const std::string& path, std::string_view cause) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: {}", path, cause),
              "the file is damaged or not a safetensors file; copy or write it again");
}

std::unexpected<Error> InvalidTensor(const Entry& entry, std::string_view cause) {
  return Invalid(entry.info.file, fmt::format("tensor \"{}\": {}", Shown(entry.info.name), cause));
}

Status CheckSize(Entry& entry) {
  std::uint64_t elements = 1, bits = 0;
  for (const std::int64_t size : entry.info.shape) {
    if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(size), &elements) ||
        elements > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return InvalidTensor(entry, "the product of its shape overflows");
    }
  }
  if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(BitsOf(entry.info.dtype)),
                             &bits)) {
    return InvalidTensor(entry, "its size in bits overflows");
  }
  if (bits % 8 != 0) {
    return InvalidTensor(entry, fmt::format("{} elements of {} do not fill whole bytes", elements,
                                            ToString(entry.info.dtype)));
  }
  if (entry.end < entry.begin) return InvalidTensor(entry, "its data ends before it begins");
  if (entry.end - entry.begin != bits / 8) {
    return InvalidTensor(entry, fmt::format("its shape needs {} bytes, its offsets span {}",
                                            bits / 8, entry.end - entry.begin));
  }
  entry.info.bytes = bits / 8;
  return {};
}

Status CheckNamesDiffer(const std::vector<Entry>& entries) {
  std::vector<const Entry*> sorted;
  for (const Entry& entry : entries) sorted.push_back(&entry);
  const auto name = [](const Entry* entry) -> const std::string& { return entry->info.name; };
  std::ranges::sort(sorted, {}, name);
  const auto twin = std::ranges::adjacent_find(sorted, {}, name);
  if (twin != sorted.end()) return InvalidTensor(**twin, "stands twice in the header");
  return {};
}

// Sorts by place and requires that the data fill the buffer from 0 without hole or overlap.
Status CheckContiguous(std::vector<Entry>& entries) {
  std::ranges::stable_sort(entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
  std::uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin < end) {
      return InvalidTensor(
          entry, fmt::format("its data begins at {}, inside another tensor's that ends at {}",
                             entry.begin, end));
    }
    if (entry.begin > end) {
      return InvalidTensor(
          entry, fmt::format("a hole of {} bytes lies before its data", entry.begin - end));
    }
    end = entry.end;
  }
  return {};
}

}  // namespace

Result<std::vector<TensorInfo>> ParseSafetensorsHeader(std::string_view json,
                                                       std::uint64_t data_begin,
                                                       const std::string& path,
                                                       SafetensorsMetadata* metadata) {
  if (!json.starts_with('{')) return Invalid(path, "the header does not begin with '{'");
  // RapidJSON would take a NUL byte for the end of its input.
  if (json.find('\0') != std::string_view::npos)
    return Invalid(path, "the header holds a NUL byte");
  HeaderHandler handler;
  rapidjson::MemoryStream stream(json.data(), json.size());
  rapidjson::Reader reader;
  const auto parsed =
      reader.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag |
                   rapidjson::kParseNumbersAsStringsFlag>(stream, handler);
  if (parsed.IsError()) {
    return Invalid(path,
                   handler.problem().empty()
                       ? fmt::format("the header is no valid JSON at byte {}: {}", parsed.Offset(),
                                     rapidjson::GetParseError_En(parsed.Code()))
                       : handler.problem());
  }
  std::vector<Entry>& entries = handler.entries();
  for (Entry& entry : entries) entry.info.file = path;
  TRY(CheckNamesDiffer(entries));
  for (Entry& entry : entries) TRY(CheckSize(entry));
  TRY(CheckContiguous(entries));
  std::vector<TensorInfo> tensors;
  tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    if (__builtin_add_overflow(data_begin, entry.begin, &entry.info.offset) ||
        entry.info.offset > std::numeric_limits<std::uint64_t>::max() - entry.info.bytes) {
      return InvalidTensor(entry, "its place in the file overflows");
    }
    tensors.push_back(std::move(entry.info));
  }
  if (metadata != nullptr) *metadata = std::move(handler.metadata());
  return tensors;
}

}  // namespace couplingd
