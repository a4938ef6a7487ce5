#include "agent/event/utf8.h"

#include <cstdint>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "absl/strings/str_format.h"
#include "agent/base/utf8.h"

namespace holdpoint {
namespace {

// Those that are text or may hold some: to ask a message which of its fields are set costs more than to look at these.
const std::vector<const google::protobuf::FieldDescriptor*>& TextFields(const google::protobuf::Descriptor& type) {
  using google::protobuf::FieldDescriptor;
  thread_local absl::node_hash_map<const google::protobuf::Descriptor*, std::vector<const FieldDescriptor*>> types;
  const auto [entry, added] = types.try_emplace(&type);
  for (int i = 0; added && i < type.field_count(); ++i) {
    const FieldDescriptor* const field = type.field(i);
    const bool text = field->type() == FieldDescriptor::TYPE_STRING;
    if (text || field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) entry->second.push_back(field);
  }
  return entry->second;
}

void FixField(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field) {
  using google::protobuf::FieldDescriptor;
  const auto& reflection = *message.GetReflection();
  std::string scratch;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    if (!field.is_repeated()) {
      if (reflection.HasField(message, &field)) MakeValidUtf8(*reflection.MutableMessage(&message, &field));
      return;
    }
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      MakeValidUtf8(*reflection.MutableRepeatedMessage(&message, &field, i));
    }
    return;
  }
  if (field.type() != FieldDescriptor::TYPE_STRING) return;
  if (!field.is_repeated()) {
    const std::string& text = reflection.GetStringReference(message, &field, &scratch);
    if (!IsValidUtf8(text)) reflection.SetString(&message, &field, EscapeInvalidUtf8(text));
    return;
  }
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const std::string& text = reflection.GetRepeatedStringReference(message, &field, i, &scratch);
    if (!IsValidUtf8(text)) reflection.SetRepeatedString(&message, &field, i, EscapeInvalidUtf8(text));
  }
}

}  // namespace

std::string EscapeInvalidUtf8(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<uint8_t>(text[0]));
      text.remove_prefix(1);
    } else {
      out.append(text.data(), length);
      text.remove_prefix(length);
    }
  }
  return out;
}

void MakeValidUtf8(google::protobuf::Message& message) {
  for (const auto* field : TextFields(*message.GetDescriptor())) FixField(message, *field);
}

}  // namespace holdpoint
