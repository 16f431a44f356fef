// JSON in and out, over RapidJSON. Reading accepts the NaN and Infinity literals that Python
// trainers write, and refuses duplicate keys, invalid UTF-8, deep nesting and oversized input.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace couplingd {

using JsonValue = rapidjson::Value;
using JsonDocument = rapidjson::Document;

struct JsonLimits {
  std::size_t max_bytes = 64u << 20;
  int max_depth = 64;
};

// `source` names the input in errors ("config.json", "frame 3"). An error gives the line and
// column.
Result<JsonDocument> ParseJson(std::string_view text, std::string_view source,
                               const JsonLimits& limits = {});

// Reads the file and parses it; the path is the source.
Result<JsonDocument> ParseJsonFile(const std::string& path, const JsonLimits& limits = {});

// The member, or nullptr where `object` is no object, lacks the key or holds null there.
const JsonValue* FindMember(const JsonValue& object, std::string_view key);

// Required members of an object. Errors read: `source: field "key" must be a string`.
Result<std::string> GetString(const JsonValue& object, std::string_view key,
                              std::string_view source);
Result<std::int64_t> GetInt(const JsonValue& object, std::string_view key, std::string_view source);
Result<double> GetDouble(const JsonValue& object, std::string_view key, std::string_view source);
Result<bool> GetBool(const JsonValue& object, std::string_view key, std::string_view source);

// Optional members: absent or null gives nullopt; a value of the wrong type is an error.
Result<std::optional<std::string>> FindString(const JsonValue& object, std::string_view key,
                                              std::string_view source);
Result<std::optional<std::int64_t>> FindInt(const JsonValue& object, std::string_view key,
                                            std::string_view source);
Result<std::optional<double>> FindDouble(const JsonValue& object, std::string_view key,
                                         std::string_view source);
Result<std::optional<bool>> FindBool(const JsonValue& object, std::string_view key,
                                     std::string_view source);

// Writes compact JSON. Non-finite numbers become null, invalid UTF-8 becomes U+FFFD.
// Calls nest as the text does; a caller closes what it opens.
class JsonWriter {
 public:
  JsonWriter() : writer_(buffer_) {}
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& Null();
  JsonWriter& Value(std::string_view value);
  JsonWriter& Value(const char* value) { return Value(std::string_view(value)); }
  JsonWriter& Value(const std::string& value) { return Value(std::string_view(value)); }
  JsonWriter& Value(double value);
  JsonWriter& Value(bool value);
  JsonWriter& Value(std::int64_t value);
  JsonWriter& Value(std::uint64_t value);
  JsonWriter& Value(int value) { return Value(static_cast<std::int64_t>(value)); }
  template <typename T>
  JsonWriter& Value(const std::optional<T>& value) {
    return value ? Value(*value) : Null();
  }
  // An already parsed value, copied as it stands.
  JsonWriter& Value(const JsonValue& value);
  template <typename T>
  JsonWriter& Field(std::string_view key, const T& value) {
    return Key(key).Value(value);
  }

  std::string Text() const { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
};

// The text with every byte that is no valid UTF-8 replaced by U+FFFD.
std::string ToValidUtf8(std::string_view text);

}  // namespace couplingd
