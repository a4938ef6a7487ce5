#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/control/server.h"
#include "agent/control/views.h"
#include "agent/event/recorder.h"
#include "agent/gate/ledger.h"
#include "agent/spool/delivery.h"
#include "agent/spool/spool.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// What a configuration says of how much of the record stays.
SpoolBounds BoundsOf(const v1::RecordLimits& limits);

// What the daemon can say of its own record: how much there is, how far the stream process is, what was lost. Also the
// event that is sent to try all of that.
//
// Thread: the event thread; it outlives nothing that it borrows.
class RecordDesk {
 public:
  RecordDesk(Spool& spool, Ledger& ledger, std::string state_dir)
      : spool_(spool), ledger_(ledger), state_dir_(std::move(state_dir)) {}

  void set_kafka(bool configured) { kafka_ = configured; }

  StatusView::Spool Report();
  RecordView Metrics();
  // For `doctor` and the heartbeat: with what the stream process counted.
  RecordCounts Counts() const;

  // Records a marked event, forces it to disk and answers with its run id and sequence.
  void TestAlert(const std::shared_ptr<ControlCall>& call, bool peer_in_session);

 private:
  Spool& spool_;
  Ledger& ledger_;
  const std::string state_dir_;
  bool kafka_ = false;  // there are brokers: the stream process runs
};

}  // namespace holdpoint
