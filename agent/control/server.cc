#include "agent/control/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

constexpr uint64_t kListenerId = 0;
constexpr uint64_t kTimerId = 1;
constexpr uint64_t kFirstClientId = 2;

absl::Time Now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::TimeFromTimespec(now);  // Since boot, not since 1970: only compared with itself.
}

// Ends the text at its first NUL and clears what is behind it. False where no NUL is in the array.
template <size_t kSize>
bool EndText(char (&array)[kSize]) {
  char* end = static_cast<char*>(memchr(array, 0, kSize));
  if (end == nullptr) return false;
  memset(end, 0, static_cast<size_t>(array + kSize - end));
  return true;
}

// Empty where `request` may be handed on.
absl::string_view ProblemOf(ControlRequest& request) {
  if (request.version != kControlVersion) return "the daemon speaks another version of the control protocol";
  const bool known = (request.command >= ControlCommand::kStatus && request.command <= ControlCommand::kClass) ||
                     (request.command >= ControlCommand::kModes && request.command <= ControlCommand::kPromote) ||
                     (request.command >= ControlCommand::kApprovals && request.command <= ControlCommand::kOn) ||
                     (request.command >= ControlCommand::kPresence && request.command <= ControlCommand::kChallenge) ||
                     request.command == ControlCommand::kWatch ||
                     (request.command >= ControlCommand::kMetrics && request.command <= ControlCommand::kTestAlert);
  if (!known) return "unknown command";
  if (!EndText(request.ticket) || !EndText(request.text1) || !EndText(request.text2) || !EndText(request.text3) ||
      !EndText(request.secret)) {
    return "a text in the request does not end";
  }
  return "";
}

std::string Packet(int exit_code, absl::string_view message, absl::string_view body, bool more) {
  ControlReply head;
  head.exit_code = exit_code;
  head.more = more ? 1 : 0;
  head.body_bytes = static_cast<uint32_t>(body.size());
  message = message.substr(0, sizeof(head.message) - 1);
  memcpy(head.message, message.data(), message.size());
  std::string packet(reinterpret_cast<const char*>(&head), sizeof(head));
  packet.append(body.data(), body.size());
  return packet;
}

absl::Status CheckFolder(const std::string& socket_path) {
  const size_t slash = socket_path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : socket_path.substr(0, slash);
  struct stat st {};
  if (stat(folder.c_str(), &st) != 0) return ErrnoStatus(absl::StrCat("control socket: folder ", folder));
  if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("control socket: folder ", folder,
                                                      " can be written by others (mode ", absl::Hex(st.st_mode & 07777),
                                                      "h): it must belong to root with mode 0755"));
  }
  return absl::OkStatus();
}

// Removes a socket nobody listens on any more.
absl::Status RemoveStale(const sockaddr_un& address) {
  struct stat st {};
  if (lstat(address.sun_path, &st) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(absl::StrCat("control socket ", address.sun_path));
  }
  if (!S_ISSOCK(st.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("control socket: ", address.sun_path, " is there and is no socket: move it away"));
  }
  UniqueFd probe(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN) {
    return absl::AlreadyExistsError(absl::StrCat("another daemon answers at ", address.sun_path,
                                                 ": stop it, or give this one its own --run and scope"));
  }
  if (unlink(address.sun_path) != 0) return ErrnoStatus(absl::StrCat("removing the old ", address.sun_path));
  return absl::OkStatus();
}

}  // namespace

struct ControlServer::Client {
  UniqueFd socket;
  ControlPeer peer;
  absl::Time deadline = absl::InfiniteFuture();  // on Now()
  std::weak_ptr<ControlCall> call;               // set once its request was handed on
  bool requested = false;
  bool waits = false;  // for a decision: the first to give way
  bool answered = false;
  std::deque<std::string> out;
};

ControlCall::~ControlCall() {
  if (!answered_) Reply(69, "the daemon let the request go unanswered");
  explicit_bzero(request_.secret, sizeof(request_.secret));
}

std::string ControlCall::TakeSecret() {
  std::string secret(request_.secret);
  explicit_bzero(request_.secret, sizeof(request_.secret));
  return secret;
}

void ControlCall::Reply(int exit_code, absl::string_view message, std::vector<std::string> bodies) {
  if (answered_) return;
  answered_ = true;
  explicit_bzero(request_.secret, sizeof(request_.secret));
  gone_ = nullptr;
  if (auto server = server_.lock()) (*server)->Answer(client_, exit_code, message, std::move(bodies));
}

void ControlCall::Send(std::vector<std::string> bodies) {
  if (answered_) return;
  if (auto server = server_.lock()) (*server)->Stream(client_, std::move(bodies));
}

absl::StatusOr<std::unique_ptr<ControlServer>> ControlServer::Listen(Options options, Handler handler) {
  std::unique_ptr<ControlServer> server(new ControlServer(std::move(options), std::move(handler)));
  HP_RETURN_IF_ERROR(server->Start());
  return server;
}

ControlServer::ControlServer(Options options, Handler handler)
    : options_(std::move(options)),
      handler_(std::move(handler)),
      next_client_(kFirstClientId),
      self_(std::make_shared<ControlServer*>(this)) {}

ControlServer::~ControlServer() {
  self_.reset();  // Calls that live on find no server.
  if (listener_.ok()) unlink(options_.path.c_str());
}

absl::Status ControlServer::Start() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (options_.path.empty() || options_.path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("control socket: a path of 1 to ", sizeof(address.sun_path) - 1,
                                                   " bytes is wanted, got ", options_.path.size()));
  }
  memcpy(address.sun_path, options_.path.data(), options_.path.size());
  HP_RETURN_IF_ERROR(CheckFolder(options_.path));
  HP_RETURN_IF_ERROR(RemoveStale(address));

  UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!listener.ok() || setsockopt(listener.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      chmod(address.sun_path, 0666) != 0 || listen(listener.get(), 32) != 0) {
    return ErrnoStatus(absl::StrCat("control socket ", options_.path));
  }
  listener_ = std::move(listener);
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  timer_.reset(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  spare_.reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
  epoll_event listen_event{.events = EPOLLIN, .data = {.u64 = kListenerId}};
  epoll_event timer_event{.events = EPOLLIN, .data = {.u64 = kTimerId}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), &listen_event) != 0 ||
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &timer_event) != 0) {
    return ErrnoStatus("control socket: epoll");
  }
  return absl::OkStatus();
}

void ControlServer::Dispatch() {
  epoll_event events[kMaxClients + 2];
  const int count = epoll_wait(epoll_.get(), events, static_cast<int>(std::size(events)), 0);
  for (int i = 0; i < count; ++i) {
    const uint64_t id = events[i].data.u64;
    if (id == kListenerId) {
      AcceptAll();
    } else if (id == kTimerId) {
      uint64_t expirations;
      (void)!read(timer_.get(), &expirations, sizeof(expirations));
    } else if (clients_.contains(id)) {
      if (events[i].events & EPOLLIN) {
        Read(id);
      } else if (events[i].events & EPOLLOUT) {
        Flush(id);
      } else {
        Drop(id);
      }
    }
  }
  EndLate();
  Arm();
}

void ControlServer::AcceptAll() {
  for (size_t i = 0; i < kMaxClients; ++i) {
    UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.ok()) {
      if (errno != EMFILE && errno != ENFILE) return;
      // The queue must not stay readable for ever: take one with the spare descriptor and hang up on it.
      spare_.reset();
      UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      spare_.reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
      return;
    }
    absl::StatusOr<ControlPeer> peer = PeerOf(socket.get());
    if (!peer.ok()) continue;
    const int on = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    if (!MakeRoom(peer->uid)) {
      const std::string packet = Packet(69, "the daemon serves as many clients as it can: try again", "", false);
      (void)!send(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      continue;
    }
    const uint64_t id = next_client_++;
    auto client = std::make_unique<Client>();
    client->socket = std::move(socket);
    client->peer = *std::move(peer);
    client->deadline = Now() + options_.request_timeout;
    epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = id}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client->socket.get(), &event) != 0) continue;
    clients_.emplace(id, std::move(client));
  }
}

bool ControlServer::MakeRoom(uid_t uid) {
  size_t own = 0;
  uint64_t silent = 0, waiting = 0;
  for (const auto& [id, client] : clients_) {
    if (client->peer.uid != uid) continue;
    ++own;
    if (silent == 0 && !client->requested) silent = id;
    if (waiting == 0 && client->waits && !client->answered) waiting = id;
  }
  if (own < kMaxPerUid && clients_.size() < kMaxClients) return true;
  if (silent != 0) {
    Drop(silent);
    return true;
  }
  if (waiting == 0) return false;
  std::shared_ptr<ControlCall> call = clients_.at(waiting)->call.lock();
  std::function<void()> gone = call ? std::exchange(call->gone_, nullptr) : nullptr;
  if (call) call->Reply(75, "too many wait at once: ask again");
  if (clients_.contains(waiting)) Drop(waiting);
  if (gone) gone();
  return true;
}

void ControlServer::Read(uint64_t id) {
  Client& client = *clients_.at(id);
  ControlRequest request;
  iovec part{.iov_base = &request, .iov_len = sizeof(request)};
  // Room for the credentials alone: descriptors that a client sends along have none and are dropped by the kernel.
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t size = recvmsg(client.socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return Drop(id);

  pid_t sender = 0;
  for (cmsghdr* part_head = CMSG_FIRSTHDR(&message); part_head; part_head = CMSG_NXTHDR(&message, part_head)) {
    if (part_head->cmsg_level == SOL_SOCKET && part_head->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials;
      memcpy(&credentials, CMSG_DATA(part_head), sizeof(credentials));
      sender = credentials.pid;
    }
  }
  absl::string_view problem;
  if (size != sizeof(request) || (message.msg_flags & MSG_TRUNC)) {
    problem = "a request of another size is wanted: is the program of the daemon's version?";
  } else if (sender != client.peer.pid) {
    problem = "the request came from another process than the one that connected";
  } else {
    problem = ProblemOf(request);
  }
  client.requested = true;
  client.deadline = absl::InfiniteFuture();
  epoll_event event{.events = EPOLLRDHUP, .data = {.u64 = id}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.socket.get(), &event);
  if (!problem.empty()) {
    explicit_bzero(&request, sizeof(request));
    return Answer(id, 2, problem, {});
  }
  client.waits = request.command == ControlCommand::kWait;
  std::shared_ptr<ControlCall> call(new ControlCall(self_, id, client.peer, request));
  explicit_bzero(&request, sizeof(request));
  client.call = call;
  handler_(std::move(call));  // May answer at once, which may end `client`.
}

void ControlServer::Answer(uint64_t id, int exit_code, absl::string_view message, std::vector<std::string> bodies) {
  auto found = clients_.find(id);
  if (found == clients_.end() || found->second->answered) return;
  Client& client = *found->second;
  client.answered = true;
  client.deadline = Now() + options_.answer_timeout;
  for (const std::string& body : bodies) {
    if (body.size() > kControlBodyMax) {
      exit_code = 70, message = "the daemon made an answer that is too large to send";
      bodies.clear();
      break;
    }
  }
  if (bodies.empty()) bodies.emplace_back();
  for (size_t i = 0; i < bodies.size(); ++i) {
    client.out.push_back(Packet(exit_code, message, bodies[i], i + 1 < bodies.size()));
  }
  Flush(id);
  Arm();
}

void ControlServer::Stream(uint64_t id, std::vector<std::string> bodies) {
  auto found = clients_.find(id);
  if (found == clients_.end() || found->second->answered) return;
  Client& client = *found->second;
  const bool too_large = std::any_of(bodies.begin(), bodies.end(),
                                     [](const std::string& body) { return body.size() > kControlBodyMax; });
  if (too_large || (!client.out.empty() && client.out.size() + bodies.size() > kMaxUnread)) return Drop(id);
  for (const std::string& body : bodies) client.out.push_back(Packet(0, "", body, true));
  Flush(id);
  Arm();
}

void ControlServer::Flush(uint64_t id) {
  Client& client = *clients_.at(id);
  while (!client.out.empty()) {
    const std::string& packet = client.out.front();
    const ssize_t sent = send(client.socket.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      epoll_event event{.events = EPOLLOUT | EPOLLRDHUP, .data = {.u64 = id}};
      epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.socket.get(), &event);
      client.deadline = std::min(client.deadline, Now() + options_.answer_timeout);
      return;
    }
    if (sent < 0) return Drop(id);
    client.out.pop_front();
  }
  if (client.answered) return Drop(id);
  client.deadline = absl::InfiniteFuture();
  epoll_event event{.events = EPOLLRDHUP, .data = {.u64 = id}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.socket.get(), &event);
}

void ControlServer::Drop(uint64_t id) {
  auto found = clients_.find(id);
  if (found == clients_.end()) return;
  std::unique_ptr<Client> client = std::move(found->second);
  clients_.erase(found);
  std::shared_ptr<ControlCall> call = client->call.lock();
  if (call && !call->answered_) {
    call->answered_ = true;
    explicit_bzero(call->request_.secret, sizeof(call->request_.secret));
    if (auto gone = std::exchange(call->gone_, nullptr)) gone();
  }
}

void ControlServer::EndLate() {
  const absl::Time now = Now();
  std::vector<uint64_t> late;
  for (const auto& [id, client] : clients_) {
    if (client->deadline <= now) late.push_back(id);
  }
  for (uint64_t id : late) Drop(id);
}

void ControlServer::Arm() {
  absl::Time first = absl::InfiniteFuture();
  for (const auto& [id, client] : clients_) first = std::min(first, client->deadline);
  itimerspec when{};
  if (first != absl::InfiniteFuture()) when.it_value = absl::ToTimespec(first);
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace holdpoint
