#include "agent/event/utf8.h"

#include <cstdint>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/utf8.h"

namespace holdpoint {
namespace {

void FixField(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field) {
  using google::protobuf::FieldDescriptor;
  const auto& reflection = *message.GetReflection();
  std::string scratch;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    if (!field.is_repeated()) {
      MakeValidUtf8(*reflection.MutableMessage(&message, &field));
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
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const auto* field : fields) FixField(message, *field);
}

}  // namespace holdpoint
