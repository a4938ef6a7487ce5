#include "agent/reader/listeners.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/utf8.h"
#include "agent/reader/path_facts.h"
#include "agent/reader/proc_text.h"

namespace holdpoint::reader {
namespace {

constexpr size_t kMaxTable = 4 << 20;
constexpr size_t kMaxLinks = 200'000;
constexpr char kListening[] = "0A";
constexpr uint32_t kAccepts = 0x10000;  // __SO_ACCEPTCON

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

// Words of 32 bits as the kernel prints them: each in the byte order of this host.
std::string AddressOf(absl::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 8 <= hex.size(); i += 8) {
    uint32_t word = 0;
    if (!absl::SimpleHexAtoi(hex.substr(i, 8), &word)) return "";
    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  return bytes.size() == 4 || bytes.size() == 16 ? bytes : "";
}

std::string BytesOf(const std::string& text) {
  char bytes[16];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return std::string(bytes, 4);
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) return std::string(bytes, 16);
  return "";
}

bool IsAny(const std::string& address) { return address.find_first_not_of('\0') == std::string::npos; }

bool IsLoopback(const std::string& address) {
  if (address.size() == 4) return address[0] == 127;
  return address == std::string(15, '\0') + '\1';
}

// How well a socket fits: its own address first, then any address of its family, then a socket of both.
int Fit(const Socket& socket, const std::string& address) {
  if (socket.address == address) return 3;
  if (!IsAny(socket.address)) return 0;
  return socket.address.size() == address.size() ? 2 : socket.address.size() == 16 ? 1 : 0;
}

std::string NetworkOf(pid_t pid) { return ReadLink(AT_FDCWD, absl::StrCat("/proc/", pid, "/ns/net")); }

absl::string_view Base(absl::string_view path) { return path.substr(path.rfind('/') + 1); }

// The inode behind a link like socket:[4711]; 0 for anything else.
uint64_t SocketOf(absl::string_view link) {
  uint64_t inode = 0;
  if (!absl::ConsumePrefix(&link, "socket:[") || !absl::ConsumeSuffix(&link, "]")) return 0;
  return absl::SimpleAtoi(link, &inode) ? inode : 0;
}

// Calls for each socket that a process holds; false past the bound of links.
template <typename Found>
bool EachSocket(pid_t pid, size_t* links, Found found) {
  const std::string folder = absl::StrCat("/proc/", pid, "/fd");
  const std::unique_ptr<DIR, CloseFolder> open(opendir(folder.c_str()));
  if (open == nullptr) return true;
  while (const dirent* entry = readdir(open.get())) {
    if (entry->d_name[0] == '.') continue;
    if (++*links > kMaxLinks) return false;
    if (const uint64_t inode = SocketOf(ReadLink(dirfd(open.get()), entry->d_name)); inode != 0) found(inode);
  }
  return true;
}

std::vector<Socket> TablesOf(pid_t pid, bool* whole) {
  std::vector<Socket> sockets;
  const auto add = [&](const char* name, std::vector<Socket> (*parse)(absl::string_view)) {
    const std::string text = ReadSmallText(AT_FDCWD, absl::StrCat("/proc/", pid, "/net/", name), kMaxTable);
    if (text.empty() && std::strcmp(name, "tcp6") != 0) *whole = false;  // Without IPv6 there is no such table.
    for (Socket& socket : parse(text)) sockets.push_back(std::move(socket));
  };
  *whole = true;
  add("tcp", ParseTcp);
  add("tcp6", ParseTcp);
  add("unix", ParseUnix);
  return sockets;
}

bool SameSocketPath(absl::string_view a, absl::string_view b) {
  const auto plain = [](absl::string_view path) {
    absl::ConsumePrefix(&path, "/var/run/") || absl::ConsumePrefix(&path, "/run/");
    return path;
  };
  return a == b || (plain(a) != a && plain(b) != b && plain(a) == plain(b));
}

}  // namespace

std::vector<Socket> ParseTcp(absl::string_view text) {
  std::vector<Socket> sockets;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 10 || words[3] != kListening) continue;
    const size_t colon = words[1].find(':');
    Socket socket;
    if (colon == absl::string_view::npos || !absl::SimpleHexAtoi(words[1].substr(colon + 1), &socket.port)) continue;
    socket.address = AddressOf(words[1].substr(0, colon));
    if (socket.address.empty() || !absl::SimpleAtoi(words[9], &socket.inode)) continue;
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

std::vector<Socket> ParseUnix(absl::string_view text) {
  std::vector<Socket> sockets;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint32_t flags = 0;
    Socket socket;
    if (words.size() < 8 || !absl::SimpleHexAtoi(words[3], &flags) || (flags & kAccepts) == 0) continue;
    if (!absl::SimpleAtoi(words[6], &socket.inode)) continue;
    socket.path = std::string(line.substr(static_cast<size_t>(words[7].data() - line.data())));
    if (!socket.path.empty() && socket.path[0] == '/') sockets.push_back(std::move(socket));
  }
  return sockets;
}

std::string DirectRoute(absl::string_view text, const std::string& address) {
  uint32_t wanted = 0;
  if (address.size() != sizeof(wanted)) return "";
  std::memcpy(&wanted, address.data(), sizeof(wanted));
  std::string best;
  int best_bits = -1;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, '\t', absl::SkipEmpty());
    uint32_t destination = 0, gateway = 0, mask = 0;
    if (words.size() < 8 || !absl::SimpleHexAtoi(words[1], &destination) || !absl::SimpleHexAtoi(words[2], &gateway) ||
        !absl::SimpleHexAtoi(words[7], &mask) || (wanted & mask) != destination) {
      continue;
    }
    const int bits = __builtin_popcount(mask);
    if (bits <= best_bits) continue;
    best_bits = bits;
    best = gateway == 0 ? std::string(words[0]) : "";
  }
  return best;
}

Listeners Listeners::Look(pid_t pid) {
  Listeners listeners;
  listeners.network_ = NetworkOf(pid);
  listeners.sockets_ = TablesOf(pid, &listeners.looked_);
  listeners.routes_ = ReadSmallText(AT_FDCWD, absl::StrCat("/proc/", pid, "/net/route"), kMaxTable);
  const std::unique_ptr<DIR, CloseFolder> devices(opendir("/sys/class/net"));
  while (const dirent* entry = devices == nullptr ? nullptr : readdir(devices.get())) {
    const std::string bridge = absl::StrCat("/sys/class/net/", entry->d_name, "/bridge");
    if (access(bridge.c_str(), F_OK) == 0) listeners.bridges_.emplace_back(entry->d_name);
  }
  listeners.FindOwners();
  return listeners;
}

void Listeners::FindOwners() {
  std::set<uint64_t> wanted;
  for (const Socket& socket : sockets_) wanted.insert(socket.inode);
  size_t links = 0;
  for (const pid_t pid : AllProcesses()) {
    const std::string proc = absl::StrCat("/proc/", pid);
    std::vector<uint64_t> held;
    if (!EachSocket(pid, &links, [&](uint64_t inode) {
          if (wanted.count(inode) != 0) held.push_back(inode);
        })) {
      looked_ = false;  // There are more: somebody else may hold the same socket.
      return;
    }
    if (held.empty()) continue;
    Owner owner;
    owner.pid = static_cast<uint32_t>(pid);
    owner.uid = static_cast<uint32_t>(StatusNumber(ReadSmallText(AT_FDCWD, proc + "/status", 16384), "Uid"));
    owner.executable = ReadLink(AT_FDCWD, proc + "/exe");
    owner.started_unix_ns = StartedOf(ReadSmallText(AT_FDCWD, proc + "/stat", 4096)).unix_ns;
    struct stat running, there;
    owner.only_root_writes = stat((proc + "/exe").c_str(), &running) == 0 && stat(owner.executable.c_str(), &there) == 0 &&
                             running.st_dev == there.st_dev && running.st_ino == there.st_ino &&
                             OnlyRootWrites(owner.executable, there);
    LookBehind(&owner);
    std::sort(held.begin(), held.end());
    held.erase(std::unique(held.begin(), held.end()), held.end());
    for (const uint64_t inode : held) owners_[inode].push_back(owner);
  }
}

// A proxy of docker says which container it leads to; in the network that has this address, somebody takes connections.
void Listeners::LookBehind(Owner* owner) const {
  if (Base(owner->executable) != "docker-proxy" || owner->uid != 0 || !owner->only_root_writes) return;
  const std::string text = ReadSmallText(AT_FDCWD, absl::StrCat("/proc/", owner->pid, "/cmdline"), 16384);
  const std::vector<std::string> words = absl::StrSplit(text, '\0');
  std::string address;
  uint32_t port = 0;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "-container-ip") address = words[i + 1];
    if (words[i] == "-container-port" && !absl::SimpleAtoi(words[i + 1], &port)) port = 0;
  }
  if (address.empty() || port == 0) return;
  std::set<std::string> known = {network_};
  for (const pid_t pid : AllProcesses()) {
    const std::string network = NetworkOf(pid);
    if (network.empty() || !known.insert(network).second) continue;
    const std::string own = ReadSmallText(AT_FDCWD, absl::StrCat("/proc/", pid, "/net/fib_trie"), kMaxTable);
    if (!absl::StrContains(own, absl::StrCat("|-- ", address, "\n"))) continue;
    bool whole = false;
    for (const Socket& socket : TablesOf(pid, &whole)) {
      if (socket.port != port || Fit(socket, BytesOf(address)) == 0) continue;
      size_t links = 0;
      for (const pid_t each : AllProcesses()) {
        if (NetworkOf(each) != network) continue;
        EachSocket(each, &links, [&](uint64_t inode) {
          if (inode == socket.inode && owner->behind.empty()) {
            owner->behind = ReadLink(AT_FDCWD, absl::StrCat("/proc/", each, "/exe"));
          }
        });
      }
    }
    return;
  }
}

void Listeners::Answer(const v1::ListenerWanted& wanted, v1::ListenerFact* fact) const {
  *fact->mutable_asked() = wanted;
  fact->set_looked(looked_);
  if (!looked_) return;
  std::vector<const Socket*> found;
  if (!wanted.unix_socket().empty()) {
    fact->set_local(true);
    for (const Socket& socket : sockets_) {
      if (SameSocketPath(socket.path, wanted.unix_socket())) found.push_back(&socket);
    }
  } else {
    const std::string address = BytesOf(wanted.address());
    if (address.empty()) return fact->set_problem("no address");
    fact->set_local(IsLoopback(address));
    const std::string device = DirectRoute(routes_, address);
    if (std::find(bridges_.begin(), bridges_.end(), device) != bridges_.end()) fact->set_bridge(device);
    int best = 1;
    for (const Socket& socket : sockets_) {
      const int fit = socket.port == wanted.port() && socket.path.empty() ? Fit(socket, address) : 0;
      if (fit < best || fit == 0) continue;
      if (fit > best) found.clear();
      best = fit;
      found.push_back(&socket);
    }
  }
  const Owner* first = nullptr;
  for (const Socket* socket : found) {
    fact->set_listens(true);
    const auto owners = owners_.find(socket->inode);
    if (owners == owners_.end()) return fact->set_problem("whose socket that is was not found");
    for (const Owner& owner : owners->second) {
      if (first != nullptr && (owner.executable != first->executable || owner.behind != first->behind ||
                               owner.only_root_writes != first->only_root_writes)) {
        return fact->set_problem("several programs listen there");
      }
      if (first == nullptr) first = &owner;
    }
  }
  if (first == nullptr) return;
  fact->set_executable(ToValidUtf8(first->executable));
  fact->set_only_root_writes(first->only_root_writes);
  fact->set_uid(first->uid);
  fact->set_pid(first->pid);
  fact->set_behind(ToValidUtf8(first->behind));
  fact->set_started_unix_ns(first->started_unix_ns);
}

}  // namespace holdpoint::reader
