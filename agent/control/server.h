#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/base/fd.h"
#include "agent/control/peer.h"
#include "agent/control/wire.h"

namespace holdpoint {

class ControlServer;

// One checked request of one client, waiting for its answer. The handler may keep it and answer later (a wait for a
// decision, a proof of presence that takes seconds). Dropping it unanswered answers "unavailable".
//
// Thread: the server's. May outlive the server: then Reply() does nothing.
class ControlCall {
 public:
  ~ControlCall();
  ControlCall(const ControlCall&) = delete;
  ControlCall& operator=(const ControlCall&) = delete;

  // The process that connected. It is also the one that sent the request: that is checked.
  const ControlPeer& peer() const { return peer_; }

  // Every text in it ends with a NUL inside its array and holds no byte after it that counts.
  const ControlRequest& request() const { return request_; }

  // Hands the password out once and wipes the copy here. Without it, Reply() and the destructor wipe it.
  std::string TakeSecret();

  // Answers and ends the connection once everything is written. `message` is one sentence for people where
  // `exit_code` is not 0, at most 511 bytes. Each of `bodies` is at most kControlBodyMax bytes (views.h makes them).
  // Only the first call counts; a client that has gone is not an error.
  void Reply(int exit_code, absl::string_view message, std::vector<std::string> bodies = {});

  // Packets of an answer that goes on until Reply(): the client keeps its place. One that does not read is dropped, after
  // `answer_timeout` or as soon as more than kMaxUnread packets wait for it; then OnGone() is called, maybe from here.
  void Send(std::vector<std::string> bodies);
  bool answered() const { return answered_; }

  // Called once from Dispatch() when the client goes before it was answered, or is made to (kWait past the bounds).
  void OnGone(std::function<void()> gone) { gone_ = std::move(gone); }

 private:
  friend class ControlServer;
  ControlCall(std::weak_ptr<ControlServer*> server, uint64_t client, ControlPeer peer, const ControlRequest& request)
      : server_(std::move(server)), client_(client), peer_(std::move(peer)), request_(request) {}

  std::weak_ptr<ControlServer*> server_;
  uint64_t client_;
  ControlPeer peer_;
  ControlRequest request_;
  bool answered_ = false;
  std::function<void()> gone_;
};

// The control socket: SOCK_SEQPACKET at `path`, mode 0666, because holders of no rights may ask what is theirs to
// ask; who may do what is decided by the handler. One request per connection.
//
// Every client is hostile until shown otherwise. Bounded: kMaxClients in all, kMaxPerUid of one uid; a client over
// the bounds takes the place of the oldest one of its own uid that has not sent its request in full, then of the
// oldest waiting one (kWait, which is answered 75), else it is answered 69. A request is one packet of exactly
// sizeof(ControlRequest) within `request_timeout`; anything else is answered with 2 and closed. An answer that is
// not read within `answer_timeout` is dropped.
//
// Thread: one, the caller's. Nothing here blocks.
class ControlServer {
 public:
  static constexpr size_t kMaxClients = 64;
  static constexpr size_t kMaxPerUid = 24;
  static constexpr size_t kMaxUnread = 64;  // behind a first answer, which may be longer

  using Handler = std::function<void(std::shared_ptr<ControlCall>)>;
  struct Options {
    std::string path = {};
    absl::Duration request_timeout = absl::Seconds(2);
    absl::Duration answer_timeout = absl::Seconds(10);
  };

  // Binds and listens. The folder must exist and belong to root (or to the caller's own uid) with no write for others:
  // kFailedPrecondition otherwise. A socket left by a dead daemon is replaced; kAlreadyExists where one answers.
  static absl::StatusOr<std::unique_ptr<ControlServer>> Listen(Options options, Handler handler);
  ~ControlServer();

  // Readable whenever Dispatch() has something to do (an epoll of its own, timeouts included).
  int fd() const { return epoll_.get(); }

  // Accepts, reads, calls the handler, writes what waits, ends what is late. Never blocks.
  void Dispatch();

  size_t clients() const { return clients_.size(); }

 private:
  friend class ControlCall;
  struct Client;

  ControlServer(Options options, Handler handler);
  absl::Status Start();
  void AcceptAll();
  bool MakeRoom(uid_t uid);
  void Read(uint64_t id);
  void Answer(uint64_t id, int exit_code, absl::string_view message, std::vector<std::string> bodies);
  void Stream(uint64_t id, std::vector<std::string> bodies);
  void Flush(uint64_t id);
  void Drop(uint64_t id);
  void EndLate();
  void Arm();

  Options options_;
  Handler handler_;
  UniqueFd epoll_;
  UniqueFd listener_;
  UniqueFd timer_;
  UniqueFd spare_;  // given up for a moment where no descriptor is left to accept with
  uint64_t next_client_;
  std::map<uint64_t, std::unique_ptr<Client>> clients_;  // oldest first
  std::shared_ptr<ControlServer*> self_;                 // weak copies are in the calls
};

}  // namespace holdpoint
