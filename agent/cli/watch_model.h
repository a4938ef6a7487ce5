#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/cli/ticket_row.h"
#include "agent/cli/watch_keys.h"

namespace holdpoint {

// What `holdpoint watch` knows and where its person is. Values come in, a wish comes out: no terminal, no socket, no
// clock. Times are Unix seconds.
class WatchModel {
 public:
  enum class Mode { kList, kHelp, kUntil, kReason, kSecret, kBusy };
  enum class Scope { kOnce, kSession, kUntil };  // of an approval, as of `holdpoint approve`

  // What a key leads to.
  struct Wish {
    enum class What { kNothing, kQuit, kDecide, kRedraw };
    What what = What::kNothing;
    bool approve = false;
    Scope scope = Scope::kOnce;
    int64_t until = 0;  // of kUntil
    std::string ticket = {}, reason = {};  // kDecide; the secret is TakeSecret()'s
  };

  // `as` is who decides.
  WatchModel(std::string as, std::string place);
  ~WatchModel();

  // A first list is coming: what is not in it is gone. Then the list; then what changes.
  void Disconnected(std::string why);
  void Begun();
  // True where somebody should be called: a ticket that waits was opened.
  bool Ticket(const std::string& change, TicketRow row, int64_t now);

  Wish Press(const Key& key);
  std::string TakeSecret();  // wiped here
  void Answered(bool good, std::string message);
  void Tick(int64_t now);  // what was decided some seconds ago leaves the list

  Mode mode() const { return mode_; }
  bool approving() const { return approving_; }
  Scope scope() const { return scope_; }
  int64_t until() const { return until_; }
  const std::string& as() const { return as_; }
  const std::string& place() const { return place_; }
  const std::string& problem() const { return problem_; }  // with the connection; empty for none
  const std::string& message() const { return message_; }
  bool message_good() const { return message_good_; }
  const std::string& typed() const { return typed_; }  // of a date, or a reason
  // Why what was typed does not do; empty where nothing was entered yet.
  const std::string& wrong() const { return wrong_; }
  bool NeedsReason() const;
  const std::vector<TicketRow>& rows() const { return rows_; }
  const TicketRow* chosen() const;
  size_t chosen_index() const;
  const TicketRow* deciding() const;  // which kUntil, kReason, kSecret and kBusy are about; null where it has gone
  size_t scrolled() const { return scrolled_; }

 private:
  Wish PressInList(const Key& key);
  Wish PressInText(const Key& key);
  void Choose(size_t index);
  void BeginDecision(bool approve, Scope scope);
  void EnterDate();
  void EndDecision();
  void Sort();

  const std::string as_, place_;
  Mode mode_ = Mode::kList;
  bool approving_ = false;
  Scope scope_ = Scope::kOnce;
  int64_t until_ = 0, now_ = 0;
  bool listing_ = false;  // a first list is under way
  std::string problem_ = "connecting", message_;
  bool message_good_ = true;
  std::string deciding_, reason_, typed_, wrong_, secret_;
  std::string chosen_;  // by id: a list that changes never moves the choice to another ticket
  size_t scrolled_ = 0;
  struct Gone {
    std::string ticket;
    int64_t at;
  };
  std::vector<Gone> gone_;
  std::vector<TicketRow> rows_, fresh_;
};

}  // namespace holdpoint
