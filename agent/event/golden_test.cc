// The records of schemas/golden: what was written once is read for ever, and the schema only grows.
// With HP_GOLDEN_WRITE=1 what is missing there is written; what is there is never changed.
#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/base/sha256.h"
#include "agent/event/body.h"
#include "agent/event/json.h"
#include "agent/event/recorder.h"

namespace holdpoint {
namespace {

namespace fs = std::filesystem;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

fs::path GoldenDir() { return fs::path(getenv("HP_SOURCE_DIR")) / "schemas" / "golden"; }
bool Writing() { return getenv("HP_GOLDEN_WRITE") != nullptr; }

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<const FieldDescriptor*> Bodies() {
  std::vector<const FieldDescriptor*> bodies;
  const auto* envelope = v1::Envelope::descriptor();
  for (int i = 0; i < envelope->field_count(); ++i) {
    if (envelope->field(i)->number() >= kFirstBodyField) bodies.push_back(envelope->field(i));
  }
  return bodies;
}

// Gives every field of a message a value that tells it from its neighbours.
void FillAll(Message& message) {
  const auto& r = *message.GetReflection();
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    const int n = field->number();
    for (int repeat = 0; repeat < (field->is_repeated() ? 2 : 1); ++repeat) {
      const std::string text = absl::StrCat(field->name(), " ", repeat + 1, " \xc3\xa9");
      const bool one = !field->is_repeated();
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_STRING:
          one ? r.SetString(&message, field, text) : r.AddString(&message, field, text);
          break;
        case FieldDescriptor::CPPTYPE_MESSAGE: {
          Message* inner = one ? r.MutableMessage(&message, field) : r.AddMessage(&message, field);
          FillAll(*inner);
          if (field->is_map()) {  // Two entries need two keys.
            const auto* key = inner->GetDescriptor()->map_key();
            inner->GetReflection()->SetString(inner, key, absl::StrCat("key ", repeat + 1));
          }
          break;
        }
        case FieldDescriptor::CPPTYPE_ENUM:
          r.SetEnumValue(&message, field, field->enum_type()->value(field->enum_type()->value_count() - 1)->number());
          break;
        case FieldDescriptor::CPPTYPE_BOOL:
          r.SetBool(&message, field, true);
          break;
        case FieldDescriptor::CPPTYPE_INT32:
          r.SetInt32(&message, field, 1000 + n);
          break;
        case FieldDescriptor::CPPTYPE_UINT32:
          r.SetUInt32(&message, field, 2000u + static_cast<uint32_t>(n));
          break;
        case FieldDescriptor::CPPTYPE_INT64:
          r.SetInt64(&message, field, 1'700'000'000'000'000'000 + n);
          break;
        case FieldDescriptor::CPPTYPE_UINT64:
          r.SetUInt64(&message, field, (1ull << 40) + static_cast<uint64_t>(n));
          break;
        default:
          FAIL() << "no example for " << field->full_name();
      }
    }
  }
}

void WriteMissing(const FieldDescriptor* body, const fs::path& hex, const fs::path& json) {
  if (!Writing() || fs::exists(hex)) return;
  v1::Envelope event;
  event.set_schema(1);
  event.set_sequence(7);
  event.set_previous_hash(std::string(32, '\x11'));
  event.set_session("s-1");
  event.set_session_sequence(3);
  event.set_time_unix_ns(1'700'000'000'123'456'789);
  event.set_boot_ns(5'000'000'000);
  event.set_environment("staging");
  event.set_rung("exec: sigstop+ptrace");
  event.add_blind_spots("argv truncated");
  FillAll(*event.mutable_stream());
  FillAll(*event.GetReflection()->MutableMessage(&event, body));
  std::string bytes;
  SerializeRecord(event, &bytes);
  const std::string text = Hex(bytes);
  std::ofstream out(hex);
  for (size_t at = 0; at < text.size(); at += 100) out << text.substr(at, 100) << "\n";
  std::ofstream(json) << EventToJson(event) << "\n";
}

// A message and all messages inside of it: has any of them fields that the schema does not know?
bool HasUnknownFields(const Message& message) {
  const auto& r = *message.GetReflection();
  if (!r.GetUnknownFields(message).empty()) return true;
  std::vector<const FieldDescriptor*> fields;
  r.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated() && HasUnknownFields(r.GetMessage(message, field))) return true;
    for (int i = 0; field->is_repeated() && i < r.FieldSize(message, field); ++i) {
      if (HasUnknownFields(r.GetRepeatedMessage(message, field, i))) return true;
    }
  }
  return false;
}

TEST(GoldenTest, EveryBodyHasARecordThatReadsAndWritesAsItDid) {
  const fs::path dir = GoldenDir() / "v1";
  for (const FieldDescriptor* body : Bodies()) {
    SCOPED_TRACE(body->name());
    const fs::path hex = dir / (body->name() + ".hex"), json = dir / (body->name() + ".json");
    WriteMissing(body, hex, json);
    ASSERT_TRUE(fs::exists(hex)) << "no golden record: run event_test with HP_GOLDEN_WRITE=1 and commit the file";
    std::string text = Slurp(hex);
    text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
    const std::string bytes = absl::HexStringToBytes(text);

    v1::Envelope event;
    ASSERT_TRUE(event.ParseFromString(bytes));
    EXPECT_EQ(CountBodies(event), 1);
    EXPECT_EQ(EventType(event), body->name());
    EXPECT_FALSE(HasUnknownFields(event)) << "a field was removed from the schema";
    std::string again;
    SerializeRecord(event, &again);
    EXPECT_EQ(Hex(again), Hex(bytes)) << "the same event has other bytes now: hashes of old records would not verify";
    EXPECT_EQ(EventToJson(event) + "\n", Slurp(json));
  }
}

void ListFields(const Descriptor* message, std::set<std::string>& lines, std::set<const Descriptor*>& seen) {
  if (!seen.insert(message).second) return;
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* field = message->field(i);
    const std::string type = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE ? field->message_type()->full_name()
                             : field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM  ? field->enum_type()->full_name()
                                                                                   : field->type_name();
    lines.insert(absl::StrCat(message->full_name(), " ", field->number(), " ", field->name(), " ",
                              field->is_repeated() ? "repeated " : "", type));
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) ListFields(field->message_type(), lines, seen);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      const auto* values = field->enum_type();
      for (int v = 0; v < values->value_count(); ++v) {
        lines.insert(
            absl::StrCat(values->full_name(), " = ", values->value(v)->number(), " ", values->value(v)->name()));
      }
    }
  }
}

TEST(GoldenTest, SchemaOnlyGrows) {
  std::set<std::string> now;
  std::set<const Descriptor*> seen;
  ListFields(v1::Envelope::descriptor(), now, seen);
  const fs::path path = GoldenDir() / "fields.txt";
  if (Writing()) {  // Adds lines only: taking one away is what this test refuses.
    std::set<std::string> all = now;
    for (absl::string_view line : absl::StrSplit(Slurp(path), '\n', absl::SkipEmpty())) all.emplace(line);
    std::ofstream(path) << absl::StrJoin(all, "\n") << "\n";
  }
  std::set<std::string> released;
  const std::string text = Slurp(path);
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) released.emplace(line);
  ASSERT_FALSE(released.empty());
  for (const std::string& line : released) {
    EXPECT_TRUE(now.contains(line)) << "removed or changed: " << line << " (see schemas/COMPATIBILITY.md)";
  }
  for (const std::string& line : now) {
    EXPECT_TRUE(released.contains(line)) << "new: run event_test with HP_GOLDEN_WRITE=1 to note it: " << line;
  }
}

}  // namespace
}  // namespace holdpoint
