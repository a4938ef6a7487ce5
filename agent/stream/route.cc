#include "agent/stream/route.h"

#include <climits>

#include "agent/base/sha256.h"
#include "agent/event/body.h"
#include "agent/event/recorder.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace holdpoint {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::internal::WireFormatLite;

// A view of a length-delimited field, which the stream is behind afterwards.
bool ReadView(CodedInputStream& in, absl::string_view whole, absl::string_view* view) {
  uint32_t size = 0;
  if (!in.ReadVarint32(&size) || size > INT_MAX) return false;
  const auto at = static_cast<size_t>(in.CurrentPosition());
  if (size > whole.size() - at) return false;
  *view = whole.substr(at, size);
  return in.Skip(static_cast<int>(size));
}

bool ReadStream(absl::string_view bytes, Route* route) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  while (const uint32_t tag = in.ReadTag()) {
    absl::string_view* view = nullptr;
    if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      switch (WireFormatLite::GetTagFieldNumber(tag)) {
        case v1::StreamId::kHostIdFieldNumber: view = &route->host_id; break;
        case v1::StreamId::kInstanceFieldNumber: view = &route->instance; break;
        case v1::StreamId::kRunIdFieldNumber: view = &route->run_id; break;
        default: break;
      }
    }
    if (view != nullptr ? !ReadView(in, bytes, view) : !WireFormatLite::SkipField(&in, tag)) return false;
  }
  return in.ConsumedEntireMessage();
}

}  // namespace

absl::string_view Route::type() const {
  const auto* field = v1::Envelope::descriptor()->FindFieldByNumber(body);
  return field != nullptr ? absl::string_view(field->name()) : "unknown";
}

bool ReadRoute(absl::string_view record, Route* route) {
  if (record.size() > INT_MAX) return false;
  CodedInputStream in(reinterpret_cast<const uint8_t*>(record.data()), static_cast<int>(record.size()));
  while (const uint32_t tag = in.ReadTag()) {
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    const auto type = WireFormatLite::GetTagWireType(tag);
    bool good = true;
    if (type == WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      absl::string_view view;
      good = ReadView(in, record, &view);
      if (field == v1::Envelope::kStreamFieldNumber) good = good && ReadStream(view, route);
      if (field == v1::Envelope::kPreviousHashFieldNumber) route->previous_hash = view;
      if (field == v1::Envelope::kSessionFieldNumber) route->session = view;
      if (field >= kFirstBodyField && route->body == 0) route->body = field;
    } else if (type == WireFormatLite::WIRETYPE_VARINT) {
      uint64_t value = 0;
      good = in.ReadVarint64(&value);
      if (field == v1::Envelope::kSequenceFieldNumber) route->sequence = value;
      if (field == v1::Envelope::kSessionSequenceFieldNumber) route->session_sequence = value;
      if (field == v1::Envelope::kTimeUnixNsFieldNumber) route->time_unix_ns = static_cast<int64_t>(value);
    } else {
      good = WireFormatLite::SkipField(&in, tag);
    }
    if (!good) return false;
  }
  return in.ConsumedEntireMessage();
}

std::string StandIn(absl::string_view record, absl::string_view reason) {
  v1::Envelope whole, event;
  ParseRecord(record, &whole);
  event.set_schema(whole.schema());
  *event.mutable_stream() = whole.stream();
  event.set_sequence(whole.sequence());
  event.set_previous_hash(whole.previous_hash());
  event.set_session(whole.session());
  event.set_session_sequence(whole.session_sequence());
  event.set_time_unix_ns(whole.time_unix_ns());
  event.set_boot_ns(whole.boot_ns());
  v1::Tombstone& tombstone = *event.mutable_tombstone();
  const Sha256Digest hash = Sha256(record);
  tombstone.set_first_sequence(whole.sequence());
  tombstone.set_last_sequence(whole.sequence());
  tombstone.set_last_hash(hash.data(), hash.size());
  tombstone.set_reason(std::string(reason));
  std::string bytes;
  SerializeRecord(event, &bytes);
  return bytes;
}

}  // namespace holdpoint
