#include "agent/reader/plan_facts.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <sys/stat.h>

#include "agent/base/sha256.h"
#include "agent/base/utf8.h"
#include "agent/reader/zip_member.h"

namespace holdpoint::reader {
namespace {

using google::protobuf::io::CodedInputStream;

// Of the message's fields those that say what would be lost, by their numbers.
constexpr int kVersion = 1, kChange = 3, kBackend = 13, kMode = 17, kErrored = 20;
constexpr int kBackendType = 1, kBackendWorkspace = 3;
constexpr int kAction = 9, kAddress = 13;
constexpr int kActionValue = 1;
constexpr uint64_t kKnownVersion = 3, kDestroyMode = 1;
constexpr uint32_t kFirstLoss = 5;  // delete; then both kinds of replace, and forget
constexpr size_t kMaxAddress = 200;
enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field of a message: a number, or bytes. Nothing is recursive here.
struct Field {
  int number = 0;
  uint64_t value = 0;
  absl::string_view bytes;
  bool is_bytes = false;
};

// Calls for each field; false where the bytes are no message.
template <typename Each>
bool EachField(absl::string_view bytes, Each each) {
  CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  while (const uint32_t tag = input.ReadTagNoLastTag()) {
    Field field;
    field.number = static_cast<int>(tag >> 3);
    switch (tag & 7) {
      case kVarint:
        if (!input.ReadVarint64(&field.value)) return false;
        break;
      case kBytes: {
        uint32_t size = 0;
        const int at_size = input.ReadVarint32(&size) ? input.CurrentPosition() : -1;
        if (at_size < 0 || size > bytes.size() - static_cast<size_t>(at_size)) return false;
        field.is_bytes = true;
        field.bytes = bytes.substr(static_cast<size_t>(at_size), size);
        if (!input.Skip(static_cast<int>(size))) return false;
        break;
      }
      case kFixed64:
        if (!input.ReadLittleEndian64(&field.value)) return false;
        break;
      case kFixed32: {
        uint32_t value = 0;
        if (!input.ReadLittleEndian32(&value)) return false;
        field.value = value;
        break;
      }
      default:
        return false;
    }
    if (field.number == 0 || !each(field)) return false;
  }
  return input.CurrentPosition() == static_cast<int>(bytes.size());
}

// A change without an action is one that does nothing.
bool AddChange(absl::string_view bytes, v1::PlanFact* fact) {
  uint64_t action = 0;
  std::string address;
  const bool understood = EachField(bytes, [&](const Field& field) {
    if (field.number == kAddress) address = ToValidUtf8(field.bytes.substr(0, kMaxAddress));
    if (field.number != kAction) return true;
    return field.is_bytes && EachField(field.bytes, [&](const Field& inner) {
             if (inner.number == kActionValue) action = inner.value;
             return true;
           });
  });
  if (!understood) return false;
  fact->set_change_count(fact->change_count() + (action == 0 ? 0 : 1));
  if (action < kFirstLoss) return true;
  fact->set_loss_count(fact->loss_count() + 1);
  if (fact->losses_size() >= kMaxPlanLosses) return true;
  v1::PlanFact::Change* const loss = fact->add_losses();
  loss->set_address(address);
  loss->set_action(static_cast<uint32_t>(action));
  return true;
}

}  // namespace

void ParsePlan(absl::string_view bytes, v1::PlanFact* fact) {
  uint64_t version = 0;
  bool errored = false;
  const bool understood = EachField(bytes, [&](const Field& field) {
    if (field.number == kVersion) version = field.value;
    if (field.number == kMode) fact->set_destroys_all(field.value == kDestroyMode);
    if (field.number == kErrored) errored = field.value != 0;
    if (field.number == kChange) return field.is_bytes && AddChange(field.bytes, fact);
    if (field.number != kBackend) return true;
    return field.is_bytes && EachField(field.bytes, [&](const Field& inner) {
             if (inner.number == kBackendType) fact->set_backend(ToValidUtf8(inner.bytes.substr(0, kMaxAddress)));
             if (inner.number == kBackendWorkspace) fact->set_workspace(ToValidUtf8(inner.bytes.substr(0, kMaxAddress)));
             return true;
           });
  });
  fact->set_whole(understood && version == kKnownVersion && !errored);
  if (!fact->whole()) fact->set_problem(understood ? "a plan of another version, or one that ended in an error" : "no plan");
}

void DescribePlan(const SafeFiles& files, const std::string& path, v1::PlanFact* fact) {
  fact->set_path(path);
  struct stat before, after;
  const absl::StatusOr<UniqueFd> fd = files.OpenRegular(AT_FDCWD, path, /*nofollow=*/false, &before);
  if (!fd.ok()) return fact->set_problem(std::string(fd.status().message()));
  const absl::StatusOr<std::string> member = ReadZipMember(fd->get(), "tfplan", kMaxPlanBytes);
  if (!member.ok()) return fact->set_problem(std::string(member.status().message()));
  if (fstat(fd->get(), &after) != 0 || before.st_size != after.st_size || before.st_ctim.tv_sec != after.st_ctim.tv_sec ||
      before.st_ctim.tv_nsec != after.st_ctim.tv_nsec) {
    return fact->set_problem("changed while it was read");
  }
  fact->set_sha256(Hex(Sha256(*member)));
  ParsePlan(*member, fact);
}

}  // namespace holdpoint::reader
