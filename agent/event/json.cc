#include "agent/event/json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "agent/base/sha256.h"
#include "agent/event/body.h"
#include "agent/base/utf8.h"
#include "agent/event/utf8.h"

namespace holdpoint {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Decodes one code point of valid UTF-8 and moves `text` behind it.
uint32_t TakeCodePoint(absl::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) {
    text.remove_prefix(1);
    return lead;
  }
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  uint32_t point = lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) point = (point << 6) | (byte(i) & 0x3f);
  text.remove_prefix(length);
  return point;
}

void AppendEscaped(absl::string_view text, std::string* out) {
  while (!text.empty()) {
    const uint32_t point = TakeCodePoint(text);
    if (point == '"' || point == '\\') {
      out->push_back('\\');
      out->push_back(static_cast<char>(point));
    } else if (point >= 0x20 && point < 0x7f) {
      out->push_back(static_cast<char>(point));
    } else if (point == '\n') {
      out->append("\\n");
    } else if (point == '\t') {
      out->append("\\t");
    } else if (point < 0x10000) {
      absl::StrAppendFormat(out, "\\u%04x", point);
    } else {
      absl::StrAppendFormat(out, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10), 0xdc00 + (point & 0x3ff));
    }
  }
}

// VERDICT_REFUSE of Verdict -> refuse: the values carry their enum's name in front.
std::string ShortEnumName(const google::protobuf::EnumValueDescriptor& value) {
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(c);
  }
  absl::string_view name = value.name();
  if (absl::StartsWith(name, prefix + "_")) name.remove_prefix(prefix.size() + 1);
  return absl::AsciiStrToLower(name);
}

void AppendMessage(const Message& message, absl::string_view head, std::string* out);

// One value: `index` is -1 for a field that is not repeated.
void AppendValue(const Message& message, const FieldDescriptor& field, int index, std::string* out) {
  const auto& r = *message.GetReflection();
  const bool one = index < 0;
  std::string scratch;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string& value = one ? r.GetStringReference(message, &field, &scratch)
                                     : r.GetRepeatedStringReference(message, &field, index, &scratch);
      absl::StrAppend(
          out, field.type() == FieldDescriptor::TYPE_BYTES ? absl::StrCat("\"", Hex(value), "\"") : JsonString(value));
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AppendMessage(one ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, index), "", out);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = one ? r.GetEnumValue(message, &field) : r.GetRepeatedEnumValue(message, &field, index);
      const auto* value = field.enum_type()->FindValueByNumber(number);
      if (value == nullptr) {
        absl::StrAppend(out, number);  // A newer schema's value.
      } else {
        absl::StrAppend(out, "\"", ShortEnumName(*value), "\"");
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      absl::StrAppend(
          out, (one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index)) ? "true" : "false");
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      absl::StrAppend(out, one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      absl::StrAppend(out, one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      absl::StrAppend(out, one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index));
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      absl::StrAppend(out, one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index));
      return;
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      absl::StrAppend(out, "null");  // The schema has none.
      return;
  }
}

void AppendMap(const Message& message, const FieldDescriptor& field, std::string* out) {
  const auto& r = *message.GetReflection();
  std::vector<std::pair<std::string, std::string>> entries;
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const Message& entry = r.GetRepeatedMessage(message, &field, i);
    const auto& key = *entry.GetDescriptor()->map_key();
    std::string name, value;
    AppendValue(entry, key, -1, &name);
    if (name.empty() || name[0] != '"') name = absl::StrCat("\"", name, "\"");
    AppendValue(entry, *entry.GetDescriptor()->map_value(), -1, &value);
    entries.emplace_back(std::move(name), std::move(value));
  }
  std::sort(entries.begin(), entries.end());
  out->push_back('{');
  for (size_t i = 0; i < entries.size(); ++i) {
    absl::StrAppend(out, i == 0 ? "" : ",", entries[i].first, ":", entries[i].second);
  }
  out->push_back('}');
}

void AppendMessage(const Message& message, absl::string_view head, std::string* out) {
  const auto& r = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  r.ListFields(message, &fields);
  absl::StrAppend(out, "{", head);
  bool first = head.empty();
  for (const FieldDescriptor* field : fields) {
    absl::StrAppend(out, first ? "\"" : ",\"", field->name(), "\":");
    first = false;
    if (field->is_map()) {
      AppendMap(message, *field, out);
    } else if (field->is_repeated()) {
      out->push_back('[');
      for (int i = 0; i < r.FieldSize(message, field); ++i) {
        if (i > 0) out->push_back(',');
        AppendValue(message, *field, i, out);
      }
      out->push_back(']');
    } else {
      AppendValue(message, *field, -1, out);
    }
  }
  out->push_back('}');
}

}  // namespace

std::string JsonString(absl::string_view text) {
  std::string out = "\"";
  if (IsValidUtf8(text)) {
    AppendEscaped(text, &out);
  } else {
    AppendEscaped(EscapeInvalidUtf8(text), &out);
  }
  out += '"';
  return out;
}

std::string EventToJson(const v1::Envelope& event) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", absl::FromUnixNanos(event.time_unix_ns()), absl::UTCTimeZone());
  std::string out;
  AppendMessage(event, absl::StrCat("\"type\":\"", EventType(event), "\",\"time\":\"", time, "\""), &out);
  return out;
}

}  // namespace holdpoint
