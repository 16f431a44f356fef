#include "queries/event_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <cmath>

#include "base/numbers.h"
#include "queries/protobuf_fields.h"

namespace couplingd {
namespace {

std::uint64_t LittleEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  return value;
}

// Castagnoli's polynomial, rotated and shifted as TensorFlow does.
std::uint32_t MaskedCrc(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t value = crc.checksum();
  return (value >> 15 | value << 17) + 0xa282ead8u;
}

std::unexpected<Error> Damaged(std::string_view source, std::size_t at, std::string_view cause) {
  return Fail(ErrorKind::kInvalidData, fmt::format("{}: byte {}: {}", source, at, cause),
              "the file is damaged; copy it again, or give the log in another form");
}

std::string CutShort(std::string_view source) {
  return fmt::format("{}: its last record is incomplete: left out", source);
}

// TensorProto: one element of float or double.
Result<std::optional<double>> TensorValue(std::string_view message) {
  std::uint64_t type = 0;
  std::string_view content, packed;
  std::optional<double> value;
  TRY(ForEachField(message, [&](const ProtobufField& field) -> Status {
    if (field.number == 1 && field.wire_type == 0) type = field.bits;
    if (field.number == 4 && field.wire_type == 2) content = field.bytes;
    if (field.number == 5 || field.number == 6) {
      if (field.wire_type == 5) value = field.AsFloat();
      if (field.wire_type == 1) value = field.AsDouble();
      if (field.wire_type == 2) packed = field.bytes;
    }
    return {};
  }));
  if (value) return value;
  const std::string_view raw = content.empty() ? packed : content;
  ProtobufField field{.bits = LittleEndian(raw)};
  if (type == 1 && raw.size() == 4) return field.AsFloat();
  if (type == 2 && raw.size() == 8) return field.AsDouble();
  return std::nullopt;
}

// Event: step 2, summary 5; Summary: value 1; Value: tag 1, simple_value 2, tensor 8.
Status ReadEvent(std::string_view message, LossCollector& losses) {
  std::int64_t step = 0;
  std::vector<std::string_view> values;
  TRY(ForEachField(message, [&](const ProtobufField& field) -> Status {
    if (field.number == 2 && field.wire_type == 0) step = static_cast<std::int64_t>(field.bits);
    if (field.number != 5 || field.wire_type != 2) return {};
    return ForEachField(field.bytes, [&](const ProtobufField& value) -> Status {
      if (value.number == 1 && value.wire_type == 2) values.push_back(value.bytes);
      return {};
    });
  }));
  for (const std::string_view value : values) {
    std::string_view tag;
    std::optional<double> number;
    TRY(ForEachField(value, [&](const ProtobufField& field) -> Status {
      if (field.number == 1 && field.wire_type == 2) tag = field.bytes;
      if (field.number == 2 && field.wire_type == 5) number = field.AsFloat();
      if (field.number == 8 && field.wire_type == 2) number = TRY(TensorValue(field.bytes));
      return {};
    }));
    if (number) losses.Add(tag, step, *number);
  }
  return {};
}

std::optional<double> NumberIn(std::string_view json) {
  if (const auto value = ParseNumber<double>(json)) return value;
  if (json == "NaN" || json == "\"NaN\"" || json == "Infinity" || json == "\"Infinity\"")
    return NAN;
  return std::nullopt;
}

// Record: history 2; HistoryRecord: item 1, step 2; HistoryItem: key 1, nested_key 2, value_json
// 16; HistoryStep: num 1.
Status ReadRecord(std::string_view message, LossCollector& losses) {
  return ForEachField(message, [&](const ProtobufField& record) -> Status {
    if (record.number != 2 || record.wire_type != 2) return {};
    std::optional<std::int64_t> step;
    std::vector<std::pair<std::string, double>> values;
    const auto read_item = [&](std::string_view item) -> Status {
      std::string key;
      std::string_view json;
      TRY(ForEachField(item, [&](const ProtobufField& field) -> Status {
        if (field.wire_type != 2) return {};
        if (field.number == 1) key = field.bytes;
        if (field.number == 2) key += (key.empty() ? "" : ".") + std::string(field.bytes);
        if (field.number == 16) json = field.bytes;
        return {};
      }));
      if (const auto number = NumberIn(json)) values.emplace_back(std::move(key), *number);
      return {};
    };
    TRY(ForEachField(record.bytes, [&](const ProtobufField& field) -> Status {
      if (field.wire_type != 2) return {};
      if (field.number == 1) return read_item(field.bytes);
      if (field.number != 2) return {};
      return ForEachField(field.bytes, [&](const ProtobufField& number) -> Status {
        if (number.number == 1 && number.wire_type == 0) {
          step = static_cast<std::int64_t>(number.bits);
        }
        return {};
      });
    }));
    for (const auto& [key, value] : values) {
      if (key == "_step") step = static_cast<std::int64_t>(value);
    }
    // A step of 0 is not written.
    for (const auto& [key, value] : values) {
      if (!key.starts_with('_')) losses.Add(key, step.value_or(0), value);
    }
    return {};
  });
}

}  // namespace

bool IsEventFile(std::string_view text) {
  return text.size() >= 12 && LittleEndian(text.substr(8, 4)) == MaskedCrc(text.substr(0, 8));
}

bool IsWandbFile(std::string_view text) { return text.starts_with(":W&B\xe1\xbe"); }

Status ReadEvents(std::string_view text, std::string_view source, LossCollector& losses,
                  std::vector<std::string>& notes) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    if (rest.size() < 12) {
      notes.push_back(CutShort(source));
      break;
    }
    const std::uint64_t length = LittleEndian(rest.substr(0, 8));
    if (LittleEndian(rest.substr(8, 4)) != MaskedCrc(rest.substr(0, 8))) {
      return Damaged(source, at, "the checksum of a record's length is wrong");
    }
    if (rest.size() < 16 || length > rest.size() - 16) {
      notes.push_back(CutShort(source));
      break;
    }
    const std::string_view message = rest.substr(12, length);
    if (LittleEndian(rest.substr(12 + length, 4)) != MaskedCrc(message)) {
      return Damaged(source, at, "the checksum of a record is wrong");
    }
    if (const Status read = ReadEvent(message, losses); !read) {
      return Damaged(source, at, read.error().message);
    }
    at += 16 + length;
  }
  return {};
}

Status ReadWandb(std::string_view text, std::string_view source, LossCollector& losses,
                 std::vector<std::string>& notes) {
  constexpr std::size_t kBlock = 32768, kHeader = 7;
  enum Fragment { kFull = 1, kFirst, kMiddle, kLast };
  std::string record;
  bool is_open = false;
  std::size_t at = kHeader;  // the file's own header is as long
  while (at < text.size()) {
    const std::size_t left = kBlock - at % kBlock;
    if (left < kHeader) {  // the rest of a block that holds no header is padding
      at += left;
      continue;
    }
    if (text.size() - at < kHeader) break;
    const auto stated = static_cast<std::uint32_t>(LittleEndian(text.substr(at, 4)));
    const std::size_t length = LittleEndian(text.substr(at + 4, 2));
    const int type = static_cast<std::uint8_t>(text[at + 6]);
    if (length > left - kHeader || type < kFull || type > kLast) {
      return Damaged(source, at, "no record begins there");
    }
    if (text.size() - at - kHeader < length) break;
    boost::crc_32_type crc;
    crc.process_bytes(text.data() + at + 6, 1 + length);
    if (crc.checksum() != stated) return Damaged(source, at, "the checksum of a record is wrong");
    const bool begins = type == kFull || type == kFirst;
    if (begins == is_open) return Damaged(source, at, "a fragment of a record is out of place");
    if (begins) record.clear();
    record += text.substr(at + kHeader, length);
    is_open = type == kFirst || type == kMiddle;
    if (!is_open) {
      if (const Status read = ReadRecord(record, losses); !read) {
        return Damaged(source, at, read.error().message);
      }
    }
    at += kHeader + length;
  }
  if (at < text.size() || is_open) notes.push_back(CutShort(source));
  return {};
}

}  // namespace couplingd
