// Prints events as lines "NAME FORMAT TEXT" for tests of the formats:
//   export_lines examples   the events of schemas/golden/export
//   export_lines full       each kind of event with every field of the schema set
//   export_lines hostile    the same with everything that is text full of what a session could try
#include <google/protobuf/message.h>

#include <cstdio>
#include <string>

#include "agent/event/body.h"
#include "agent/export/format.h"
#include "agent/export/test_events.h"

namespace holdpoint {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kHostile[] =
    "x act=allow|\\ \"}]},{\n\r\tCEF:0|A|B|1|1|1|1|rt=1 \x1b[31m\x01\x7f\xff\xc3\x28\xe2\x80\xae\xf0\x9f\x98\x80 = \\= \\| $(id) '";

void Fill(Message& message, const std::string& text, int depth) {
  const auto& r = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* field = message.GetDescriptor()->field(i);
    const bool one = !field->is_repeated();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        one ? r.SetString(&message, field, text) : r.AddString(&message, field, text);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < 6) Fill(one ? *r.MutableMessage(&message, field) : *r.AddMessage(&message, field), text, depth + 1);
        break;
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int last = field->enum_type()->value(field->enum_type()->value_count() - 1)->number();
        if (one) r.SetEnumValue(&message, field, last);
        break;
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        if (one) r.SetBool(&message, field, true);
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        if (one) r.SetInt32(&message, field, 7);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        if (one) r.SetUInt32(&message, field, 4242);
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        if (one) r.SetInt64(&message, field, 1'700'000'000'123'456'789);
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        if (one) r.SetUInt64(&message, field, 1ull << 40);
        break;
      default:
        break;
    }
  }
}

void Print(const std::string& name, const v1::Envelope& event) {
  for (const absl::string_view format : kExportFormatNames) {
    std::printf("%s %s %s\n", name.c_str(), std::string(format).c_str(),
                Export(*ParseExportFormat(format), event).c_str());
  }
}

void PrintBodies(const std::string& text) {
  const auto* envelope = v1::Envelope::descriptor();
  for (int i = 0; i < envelope->field_count(); ++i) {
    if (envelope->field(i)->number() < kFirstBodyField) continue;
    v1::Envelope event;
    Fill(*event.mutable_stream(), text, 0);
    event.set_session(text);
    event.set_environment(text);
    event.set_rung(text);
    event.add_blind_spots(text);
    event.set_sequence(9);
    event.set_session_sequence(3);
    event.set_time_unix_ns(1'700'000'000'123'456'789);
    Fill(*event.GetReflection()->MutableMessage(&event, envelope->field(i)), text, 0);
    Print(envelope->field(i)->name(), event);
  }
  Print("none", {});
}

}  // namespace
}  // namespace holdpoint

int main(int argc, char** argv) {
  const std::string what = argc == 2 ? argv[1] : "";
  if (what == "examples") {
    for (const auto& [name, event] : holdpoint::ExportedEvents()) holdpoint::Print(name, event);
  } else if (what == "full") {
    holdpoint::PrintBodies("some text");
  } else if (what == "hostile") {
    holdpoint::PrintBodies(std::string(holdpoint::kHostile, sizeof(holdpoint::kHostile) - 1));
  } else {
    std::fprintf(stderr, "usage: export_lines examples|full|hostile\n");
    return 2;
  }
  return 0;
}
