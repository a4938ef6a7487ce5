// Every export of any record: one line of printable ASCII, bounded, JSON that parses, CEF whose keys a session cannot add.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "agent/event/recorder.h"
#include "agent/event/utf8.h"
#include "agent/export/cef.h"
#include "agent/export/format.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void Check(const holdpoint::v1::Envelope& event) {
  using namespace holdpoint;
  for (const absl::string_view name : kExportFormatNames) {
    const ExportFormat format = *ParseExportFormat(name);
    const std::string line = Export(format, event);
    for (const unsigned char c : line) Require(c >= 0x20 && c < 0x7f);
    if (format == ExportFormat::kCef) {
      Require(line.size() < kMaxCefBytes && absl::StartsWith(line, "CEF:0|Holdpoint|Holdpoint|"));
    } else {
      Require(nlohmann::json::accept(line));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdpoint;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  v1::Envelope event;
  if (ParseRecord(bytes, &event)) Check(event);

  // What a session wrote, in each field that it reaches; not made valid first, as a record of another version may be.
  v1::Envelope hostile;
  hostile.set_session(bytes);
  v1::Exec& exec = *hostile.mutable_exec();
  exec.mutable_process()->set_executable(bytes);
  exec.mutable_process()->set_working_directory(bytes);
  for (size_t at = 0; at < bytes.size() && at < 700; at += 7) exec.mutable_process()->add_argv(bytes.substr(at));
  exec.mutable_process()->add_started_by(bytes);
  v1::Judgement& judgement = *exec.mutable_judgement();
  judgement.set_verdict(static_cast<v1::Verdict>(size % 9));
  judgement.set_effect(static_cast<v1::Effect>(size % 8));
  judgement.set_reason(bytes);
  judgement.set_summary(bytes);
  judgement.add_techniques(bytes);
  judgement.mutable_resource()->set_type(size % 2 == 0 ? "path" : bytes);
  judgement.mutable_resource()->set_id(bytes);
  Check(hostile);
  Require(CefValue(bytes, 100).find('\n') == std::string::npos);
  v1::Envelope connect;
  connect.mutable_connect()->set_address(bytes);
  connect.mutable_connect()->set_protocol(bytes);
  connect.mutable_stream()->set_host(bytes);
  Check(connect);
  v1::Envelope rollup;
  rollup.mutable_rollup()->set_kind("connect");
  rollup.mutable_rollup()->set_subject(bytes);
  Check(rollup);
  return 0;
}
