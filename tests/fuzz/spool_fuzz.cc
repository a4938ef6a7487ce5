// A segment file: any bytes on disk.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "agent/spool/layout.h"
#include "agent/spool/reader.h"
#include "agent/spool/segment.h"
#include "agent/spool/verify.h"

namespace {

// SPOOL/run/00000000000000000001.seg in a temporary directory, made once, removed at exit.
struct Place {
  Place() {
    char name[] = "/tmp/holdpoint-fuzz-XXXXXX";
    spool = mkdtemp(name);
    auto stream = holdpoint::CreateStream(spool, "run", 1);
    if (!stream.ok()) std::abort();
    dir = stream->path;
    segment = holdpoint::SegmentPath(dir, 1);
  }
  ~Place() {
    unlink(segment.c_str());
    unlink((dir + "/stream").c_str());
    rmdir(dir.c_str());
    rmdir(spool.c_str());
  }
  std::string spool, dir, segment;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdpoint;
  static const Place place;
  {
    UniqueFd fd(open(place.segment.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (write(fd.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  // Every byte is read as part of a record, skipped as damage, or lies in the tail.
  auto reader = SegmentReader::Open(place.segment);
  if (!reader.ok()) std::abort();
  uint64_t records = 0;
  for (;;) {
    const uint64_t before = reader->offset();
    const auto item = reader->Next();
    if (!item.ok()) std::abort();
    if (*item == SegmentReader::Item::kRecord) {
      ++records;
      if (reader->offset() <= before || reader->offset() > size) std::abort();
      continue;
    }
    const auto skipped = reader->SkipDamage();
    if (!skipped.ok() || before + skipped->bytes > size) std::abort();
    if (skipped->tail) break;
    if (skipped->bytes == 0 || reader->offset() != before + skipped->bytes) std::abort();
  }
  const auto report = VerifySpool(place.spool);
  if (!report.ok() || report->records() > records) std::abort();
  auto all = SpoolReader::Open(place.spool, {});
  if (!all.ok()) std::abort();
  SpoolReader::Record record;
  uint64_t seen = 0;
  for (auto more = (*all)->Next(&record); more.ok() && *more; more = (*all)->Next(&record)) ++seen;
  if (seen > records) std::abort();
  return 0;
}
