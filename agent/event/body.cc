#include "agent/event/body.h"

namespace holdpoint {
namespace {

template <typename F>
void ForEachBody(const v1::Envelope& event, F&& visit) {
  const auto& descriptor = *v1::Envelope::descriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto* field = descriptor.field(i);
    if (field->number() >= kFirstBodyField && event.GetReflection()->HasField(event, field)) visit(*field);
  }
}

}  // namespace

int CountBodies(const v1::Envelope& event) {
  int count = 0;
  ForEachBody(event, [&](const auto&) { ++count; });
  return count;
}

absl::string_view EventType(const v1::Envelope& event) {
  absl::string_view name = "none";
  ForEachBody(event, [&](const auto& field) {
    if (name == "none") name = field.name();
  });
  return name;
}

}  // namespace holdpoint
