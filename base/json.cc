#include "base/json.h"

#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <cmath>
#include <set>

#include "base/files.h"

namespace couplingd {
namespace {

constexpr unsigned kParseFlags = rapidjson::kParseNanAndInfFlag | rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseValidateEncodingFlag |
                                 rapidjson::kParseFullPrecisionFlag;

// Builds a Document while refusing what the DOM would accept: deep nesting and repeated keys.
class StrictHandler {
 public:
  StrictHandler(JsonDocument& document, int max_depth)
      : document_(document), max_depth_(max_depth) {}

  bool Null() { return document_.Null(); }
  bool Bool(bool value) { return document_.Bool(value); }
  bool Int(int value) { return document_.Int(value); }
  bool Uint(unsigned value) { return document_.Uint(value); }
  bool Int64(std::int64_t value) { return document_.Int64(value); }
  bool Uint64(std::uint64_t value) { return document_.Uint64(value); }
  bool Double(double value) { return document_.Double(value); }
  bool RawNumber(const char* text, unsigned length, bool copy) {
    return document_.RawNumber(text, length, copy);
  }
  bool String(const char* text, unsigned length, bool copy) {
    return document_.String(text, length, copy);
  }
  bool StartObject() {
    keys_.emplace_back();
    return Deeper() && document_.StartObject();
  }
  bool Key(const char* text, unsigned length, bool copy) {
    if (!keys_.back().emplace(text, length).second) {
      problem_ =
          fmt::format("the key \"{}\" stands twice in one object", std::string(text, length));
      return false;
    }
    return document_.Key(text, length, copy);
  }
  bool EndObject(unsigned count) {
    keys_.pop_back();
    --depth_;
    return document_.EndObject(count);
  }
  bool StartArray() { return Deeper() && document_.StartArray(); }
  bool EndArray(unsigned count) {
    --depth_;
    return document_.EndArray(count);
  }
  const std::string& problem() const { return problem_; }

 private:
  bool Deeper() {
    if (++depth_ <= max_depth_) return true;
    problem_ = fmt::format("nested deeper than {} levels", max_depth_);
    return false;
  }

  JsonDocument& document_;
  int max_depth_;
  int depth_ = 0;
  std::vector<std::set<std::string, std::less<>>> keys_;
  std::string problem_;
};

std::string LineAndColumn(std::string_view text, std::size_t offset) {
  std::size_t line = 1, column = 1;
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    column = text[i] == '\n' ? 1 : column + 1;
    line += text[i] == '\n';
  }
  return fmt::format("line {}, column {}", line, column);
}

std::unexpected<Error> WrongField(std::string_view source, std::string_view key,
                                  std::string_view expected) {
  return Fail(ErrorKind::kInvalidData,
              fmt::format("{}: field \"{}\" must be {}", source, key, expected));
}

template <typename T>
Result<T> Required(Result<std::optional<T>> found, std::string_view key, std::string_view source) {
  if (!found) return std::unexpected(std::move(found).error());
  if (!*found) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: field \"{}\" is missing", source, key));
  }
  return std::move(**found);
}

}  // namespace

Result<JsonDocument> ParseJson(std::string_view text, std::string_view source,
                               const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Fail(ErrorKind::kInvalidData, fmt::format("{}: {} bytes of JSON, at most {} are read",
                                                     source, text.size(), limits.max_bytes));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: {}: a NUL byte", source, LineAndColumn(text, nul)));
  }
  JsonDocument document;
  StrictHandler handler(document, limits.max_depth);
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  rapidjson::ParseResult parsed;
  auto generate = [&](JsonDocument&) {
    parsed = reader.Parse<kParseFlags>(stream, handler);
    return !parsed.IsError();
  };
  document.Populate(generate);
  if (parsed.IsError()) {
    const std::string cause = handler.problem().empty()
                                  ? std::string(rapidjson::GetParseError_En(parsed.Code()))
                                  : handler.problem();
    return Fail(ErrorKind::kInvalidData,
                fmt::format("{}: {}: {}", source, LineAndColumn(text, parsed.Offset()), cause));
  }
  return document;
}

Result<JsonDocument> ParseJsonFile(const std::string& path, const JsonLimits& limits) {
  const std::string text = TRY(ReadFile(path, limits.max_bytes));
  return ParseJson(text, path, limits);
}

const JsonValue* FindMember(const JsonValue& object, std::string_view key) {
  if (!object.IsObject()) return nullptr;
  const auto member = object.FindMember(
      JsonValue(rapidjson::StringRef(key.data(), static_cast<rapidjson::SizeType>(key.size()))));
  return member == object.MemberEnd() || member->value.IsNull() ? nullptr : &member->value;
}

Result<std::optional<std::string>> FindString(const JsonValue& object, std::string_view key,
                                              std::string_view source) {
  const JsonValue* value = FindMember(object, key);
  if (!value) return std::nullopt;
  if (!value->IsString()) return WrongField(source, key, "a string");
  return std::string(value->GetString(), value->GetStringLength());
}

Result<std::optional<std::int64_t>> FindInt(const JsonValue& object, std::string_view key,
                                            std::string_view source) {
  const JsonValue* value = FindMember(object, key);
  if (!value) return std::nullopt;
  if (value->IsInt64()) return value->GetInt64();
  if (value->IsDouble()) {
    const double number = value->GetDouble();
    if (std::nearbyint(number) == number && std::abs(number) < 9e15) {
      return static_cast<std::int64_t>(number);
    }
  }
  return WrongField(source, key, "an integer");
}

Result<std::optional<double>> FindDouble(const JsonValue& object, std::string_view key,
                                         std::string_view source) {
  const JsonValue* value = FindMember(object, key);
  if (!value) return std::nullopt;
  if (!value->IsNumber()) return WrongField(source, key, "a number");
  return value->GetDouble();
}

Result<std::optional<bool>> FindBool(const JsonValue& object, std::string_view key,
                                     std::string_view source) {
  const JsonValue* value = FindMember(object, key);
  if (!value) return std::nullopt;
  if (!value->IsBool()) return WrongField(source, key, "true or false");
  return value->GetBool();
}

Result<std::string> GetString(const JsonValue& object, std::string_view key,
                              std::string_view source) {
  return Required(FindString(object, key, source), key, source);
}
Result<std::int64_t> GetInt(const JsonValue& object, std::string_view key,
                            std::string_view source) {
  return Required(FindInt(object, key, source), key, source);
}
Result<double> GetDouble(const JsonValue& object, std::string_view key, std::string_view source) {
  return Required(FindDouble(object, key, source), key, source);
}
Result<bool> GetBool(const JsonValue& object, std::string_view key, std::string_view source) {
  return Required(FindBool(object, key, source), key, source);
}

JsonWriter& JsonWriter::BeginObject() { return writer_.StartObject(), *this; }
JsonWriter& JsonWriter::EndObject() { return writer_.EndObject(), *this; }
JsonWriter& JsonWriter::BeginArray() { return writer_.StartArray(), *this; }
JsonWriter& JsonWriter::EndArray() { return writer_.EndArray(), *this; }
JsonWriter& JsonWriter::Null() { return writer_.Null(), *this; }
JsonWriter& JsonWriter::Value(bool value) { return writer_.Bool(value), *this; }
JsonWriter& JsonWriter::Value(std::int64_t value) { return writer_.Int64(value), *this; }
JsonWriter& JsonWriter::Value(std::uint64_t value) { return writer_.Uint64(value), *this; }
JsonWriter& JsonWriter::Value(double value) {
  return std::isfinite(value) ? writer_.Double(value) : writer_.Null(), *this;
}
JsonWriter& JsonWriter::Key(std::string_view key) {
  const std::string text = ToValidUtf8(key);
  return writer_.Key(text.data(), static_cast<rapidjson::SizeType>(text.size())), *this;
}
JsonWriter& JsonWriter::Value(std::string_view value) {
  const std::string text = ToValidUtf8(value);
  return writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size())), *this;
}
JsonWriter& JsonWriter::Value(const JsonValue& value) {
  if (value.IsDouble()) return Value(value.GetDouble());
  if (value.IsObject()) {
    BeginObject();
    for (const auto& member : value.GetObject()) {
      Key({member.name.GetString(), member.name.GetStringLength()}).Value(member.value);
    }
    return EndObject();
  }
  if (value.IsArray()) {
    BeginArray();
    for (const JsonValue& element : value.GetArray()) Value(element);
    return EndArray();
  }
  value.Accept(writer_);
  return *this;
}

std::string ToValidUtf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned char lead = byte(i);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : lead >= 0xE0 && lead < 0xF0 ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
    bool good = length != 0 && i + length <= text.size();
    for (std::size_t k = 1; good && k < length; ++k) good = (byte(i + k) & 0xC0) == 0x80;
    if (good && length == 3) {
      good = !(lead == 0xE0 && byte(i + 1) < 0xA0) && !(lead == 0xED && byte(i + 1) > 0x9F);
    } else if (good && length == 4) {
      good = !(lead == 0xF0 && byte(i + 1) < 0x90) && !(lead == 0xF4 && byte(i + 1) > 0x8F);
    }
    valid.append(good ? text.substr(i, length) : std::string_view("\xEF\xBF\xBD"));
    i += good ? length : 1;
  }
  return valid;
}

}  // namespace couplingd
