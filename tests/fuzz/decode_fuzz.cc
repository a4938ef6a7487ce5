// One record of a ring buffer, any bytes. The size in the header is mended in a second pass, so that mutations get
// past the first check.
#include <cstdlib>
#include <cstring>
#include <string>

#include "agent/kernel/decode.h"

namespace {

void Check(absl::Span<const std::byte> record) {
  using namespace holdpoint;
  const absl::StatusOr<KernelEvent> event = DecodeEvent(record);
  if (!event.ok()) {
    if (!absl::IsDataLoss(event.status()) || event.status().message().empty()) std::abort();
    return;
  }
  if (const auto* exec = std::get_if<ExecEvent>(&*event)) {
    const size_t texts = exec->executable.size() + exec->filename.size() + exec->cwd.size() + exec->argv.size();
    if (texts + HP_EXEC_EVENT_HEAD != record.size()) std::abort();
    if (exec->Argv().size() > exec->argv.size()) std::abort();
  } else if (const auto* connect = std::get_if<ConnectEvent>(&*event)) {
    if (connect->address.size() != 4 && connect->address.size() != 16) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto span = [&] { return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()); };
  Check(span());
  if (size >= sizeof(hp_event_header)) {
    const uint32_t true_size = static_cast<uint32_t>(size);
    std::memcpy(bytes.data() + offsetof(hp_event_header, size), &true_size, sizeof(true_size));
    Check(span());
  }
  return 0;
}
