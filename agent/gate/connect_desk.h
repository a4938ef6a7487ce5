#pragma once

#include "agent/gate/consult_desk.h"
#include "agent/gate/core.h"
#include "agent/kernel/decode.h"

namespace holdpoint {

// Connections of sessions. The kernel has let each one pass or refused it by its tables, before this desk hears of it:
// here it is judged for the record, and a refused one leaves a ticket.
class ConnectDesk {
 public:
  ConnectDesk(Core core, ConsultDesk& consults) : core_(core), consults_(consults) {}

  void OnConnect(const ConnectEvent& event);

 private:
  Core core_;
  ConsultDesk& consults_;
};

}  // namespace holdpoint
