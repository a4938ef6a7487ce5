#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "holdpoint/v1/judge.pb.h"

// Who takes connections in the network of a process: the kernel's tables of sockets, and the processes that hold them.
// Whose they are only root sees, so all of it is read before any right is dropped and before the request is: the request
// is answered out of what was kept. Nothing is read but what the kernel wrote; of a proxy of containers its arguments
// too, where root started it from a file that only root writes.
namespace holdpoint::reader {

struct Socket {
  std::string address;  // 4 or 16 bytes; empty for a unix socket
  uint32_t port = 0;
  std::string path;     // of a unix socket
  uint64_t inode = 0;
};

// The listening sockets in the texts of /proc/PID/net/tcp, tcp6 and unix. Lines that are not understood are left out.
std::vector<Socket> ParseTcp(absl::string_view text);
std::vector<Socket> ParseUnix(absl::string_view text);

// The device of the route to an IPv4 address (network order) that needs no gateway, in the text of /proc/PID/net/route;
// empty where there is none.
std::string DirectRoute(absl::string_view text, const std::string& address);

class Listeners {
 public:
  // As root, in the host's mount namespace.
  static Listeners Look(pid_t pid);
  // Without rights. Where nobody looked only `asked` is set.
  void Answer(const v1::ListenerWanted& wanted, v1::ListenerFact* fact) const;

 private:
  struct Owner {
    uint32_t pid = 0;
    uint32_t uid = 0;
    std::string executable;
    bool only_root_writes = false;
    int64_t started_unix_ns = 0;
    std::string behind;
  };

  void FindOwners();
  void LookBehind(Owner* owner) const;

  bool looked_ = false;
  std::string network_;  // which one it is, as the kernel names it
  std::vector<Socket> sockets_;
  std::map<uint64_t, std::vector<Owner>> owners_;  // by inode
  std::string routes_;
  std::vector<std::string> bridges_;
};

}  // namespace holdpoint::reader
