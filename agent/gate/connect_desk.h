#pragma once

#include "agent/gate/core.h"
#include "agent/gate/hold_desk.h"
#include "agent/kernel/decode.h"

namespace holdpoint {

// Connections of sessions. The kernel has let each one pass or refused it by its tables, before this desk hears of it:
// here it is judged for the record, and a refused one leaves a ticket.
class ConnectDesk {
 public:
  ConnectDesk(Core core, HoldDesk& holds) : core_(core), holds_(holds) {}

  void OnConnect(const ConnectEvent& event);

  // At the start: what a daemon before this one let pass is asked about anew, as its tickets are gone. The record has
  // each that still counted.
  void TakeOver();

 private:
  // What let a connect pass that its tables would have refused.
  struct Passed {
    std::string by = {};      // empty: nobody let it pass
    std::string ticket = {};  // empty: by none
  };
  void Orphan(const ConnectEvent& event);
  Passed PassedBy(const ConnectEvent& event);
  bool PassedMeanwhile(const Ticket& ticket);
  std::string PassedByGlass(uint32_t environment);

  Core core_;
  HoldDesk& holds_;
};

}  // namespace holdpoint
