// A record: any bytes in a topic or in a segment with a right checksum.
#include <cstdlib>

#include "agent/event/body.h"
#include "agent/event/chain.h"
#include "agent/event/json.h"
#include "agent/event/recorder.h"
#include "agent/event/render.h"
#include "agent/base/utf8.h"
#include "agent/event/utf8.h"

namespace {

bool IsAscii(const std::string& text, bool line_feeds) {
  for (const unsigned char c : text) {
    if ((c < 0x20 || c > 0x7e) && !(line_feeds && c == '\n')) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdpoint;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!IsValidUtf8(EscapeInvalidUtf8(bytes)) || !IsAscii(JsonString(bytes), false)) std::abort();

  v1::Envelope event;
  if (ParseRecord(bytes, &event)) {
    if (!IsAscii(EventToJson(event), false) || !IsAscii(RenderEvent(event, false), true)) std::abort();
    ChainChecker checker;
    checker.Add(LinkOf(event, bytes));
    checker.AddDeclaredGap({event.tombstone().first_sequence(), event.tombstone().last_sequence(), ""});
    checker.ExpectEnd(event.daemon().previous_last_sequence(), "");
    checker.Finish();
    std::string again;
    SerializeRecord(event, &again);
    if (!event.ParseFromString(again)) std::abort();
  }
  // What a session wrote into a field is any bytes: the record that is made of it parses.
  v1::Envelope hostile;
  hostile.mutable_exec()->mutable_process()->add_argv(bytes.data(), bytes.size());
  (*hostile.mutable_exec()->mutable_process()->mutable_script()) = std::string(bytes);
  MakeValidUtf8(hostile);
  std::string record;
  SerializeRecord(hostile, &record);
  if (!hostile.ParseFromString(record) || CountBodies(hostile) != 1) std::abort();
  return 0;
}
