// Kubernetes: where the API server of the context is. A cluster of kind, k3d or minikube runs on this host; a tunnel to
// any other one listens on loopback just the same.
#include <re2/re2.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/parse/uri.h"
#include "agent/policy/evidence.h"
#include "agent/policy/host_evidence.h"
#include "agent/policy/paths.h"

namespace holdpoint {
namespace {

using Place = Assessment::Place;

constexpr size_t kMaxFiles = 4;
constexpr std::array<absl::string_view, 6> kServers = {"kube-apiserver", "k3s",   "k3s-server",
                                                       "kubelite",       "k0s", "nginx"};

struct Context {
  std::string name, cluster, server;
  std::string problem;
  std::vector<v1::Evidence> evidence;
};

std::string Given(const ToolCall& call, std::initializer_list<absl::string_view> options) {
  for (const absl::string_view option : options) {
    if (const std::string* value = call.Value(option); value != nullptr) return *value;
  }
  return "";
}

std::vector<std::string> Kubeconfigs(const AssessmentInput& input) {
  if (const std::string given = Given(input.call, {"kubeconfig"}); !given.empty()) return {AbsolutePath(input.act, given)};
  std::vector<std::string> paths;
  for (const absl::string_view one : absl::StrSplit(Variable(input.act, "KUBECONFIG"), ':', absl::SkipEmpty())) {
    paths.push_back(AbsolutePath(input.act, one));
  }
  if (paths.empty() && !input.act.home.empty()) paths.push_back(CleanPath(absl::StrCat(input.act.home, "/.kube/config")));
  return paths;
}

// The entry of a list of {name: X, KEY: {...}}; null where there is none.
const YamlNode* Named(const YamlNode& root, absl::string_view list, absl::string_view name, absl::string_view key) {
  const YamlNode* entries = Entry(root, list);
  if (entries == nullptr) return nullptr;
  for (const YamlNode& item : entries->items) {
    if (TextAt(item, "name") == name) return Entry(item, key);
  }
  return nullptr;
}

Context FindContext(const AssessmentInput& input) {
  Context context;
  context.server = Given(input.call, {"server", "kube-apiserver"});
  if (context.server.empty()) context.server = Variable(input.act, "HELM_KUBEAPISERVER");
  context.name = Given(input.call, {"context", "kube-context"});
  if (context.name.empty()) context.name = Variable(input.act, "HELM_KUBECONTEXT");
  context.cluster = Given(input.call, {"cluster"});
  if (!context.server.empty()) return context;
  const std::vector<std::string> paths = Kubeconfigs(input);
  if (paths.empty() || paths.size() > kMaxFiles) context.problem = "no kubeconfig, or more than are read";
  // Of several files the first one that sets something counts.
  std::vector<YamlNode> roots;
  for (const std::string& path : paths) {
    if (!context.problem.empty()) break;
    const ContextFile file = ReadContextFile(path, input.facts);
    if (file.missing()) continue;
    if (!file.read()) {
      context.problem = file.problem;
      break;
    }
    absl::StatusOr<YamlNode> root = ParseYaml(path, file.text);
    if (!root.ok()) {
      context.problem = std::string(root.status().message());
      break;
    }
    if (context.name.empty()) context.name = TextAt(*root, "current-context");
    context.evidence.push_back(MakeEvidence("kubeconfig", context.name, path, file.changed_unix_ns));
    roots.push_back(*std::move(root));
  }
  const auto find = [&](absl::string_view list, const std::string& name, absl::string_view key) -> const YamlNode* {
    for (const YamlNode& root : roots) {
      if (const YamlNode* found = Named(root, list, name, key)) return found;
    }
    return nullptr;
  };
  if (!context.problem.empty()) return context;
  if (const YamlNode* found = find("contexts", context.name, "context"); found != nullptr && context.cluster.empty()) {
    context.cluster = TextAt(*found, "cluster");
  }
  if (const YamlNode* found = find("clusters", context.cluster, "cluster")) {
    context.server = TextAt(*found, "server");
    if (!TextAt(*found, "proxy-url").empty()) context.problem = "a proxy stands before the server";
  }
  if (context.server.empty()) context.problem = "the context has no server that was found";
  return context;
}

// The names that kind, k3d and minikube give to what they make.
bool IsMadeHere(absl::string_view name) {
  static const re2::RE2 kNames("(kind-[a-z0-9.-]+|k3d-[a-z0-9.-]+|minikube|rancher-desktop|docker-desktop|microk8s|default)");
  return re2::RE2::FullMatch(std::string(name), kNames);
}

}  // namespace

Assessment AssessCluster(const AssessmentInput& input) {
  Assessment assessment;
  if (input.act.environment_cut) {
    assessment.because = "the environment was not seen whole";
    assessment.blind_spot = "kube context unseen";
    return assessment;
  }
  Context context = FindContext(input);
  assessment.evidence = std::move(context.evidence);
  if (!context.problem.empty()) {
    assessment.because = absl::StrCat("which cluster this is was not seen: ", context.problem);
    assessment.blind_spot = "kube context unseen";
    return assessment;
  }
  const absl::StatusOr<Url> url = ParseUrl(context.server, "https");
  if (!url.ok()) {
    assessment.because = "the address of the server was not understood";
    return assessment;
  }
  const uint32_t port = static_cast<uint32_t>(url->port);
  // Whatever its name, things there are tagged by context and cluster as well as by host.
  assessment.leads_to = {{.host = url->host, .address = "", .port = port},
                         {.host = context.name, .address = "", .port = 0},
                         {.host = context.cluster, .address = "", .port = 0}};
  const std::string words = context.name.empty() ? url->host : absl::StrCat(context.name, " (", url->host, ":", port, ")");
  Served served = WhoServes(url->host, port, kServers, input.facts, &assessment.evidence);
  if (served.who == Served::Who::kRemote) {
    v1::ListenerWanted wanted;
    wanted.set_address(url->host);
    wanted.set_port(port);
    const bool literal = url->host.find_first_not_of("0123456789.:abcdef") == std::string::npos;
    const v1::ListenerFact* fact = literal ? input.facts->Listener(wanted) : nullptr;
    if (fact != nullptr && fact->looked() && !fact->bridge().empty() && IsMadeHere(context.name)) {
      served = {Served::Who::kServer, absl::StrCat("bridge ", fact->bridge())};
      assessment.evidence.push_back(MakeEvidence(absl::StrCat("network of ", url->host), fact->bridge(), kKernel));
    }
  }
  // In front of the nodes of k3d stands a proxy, in a container of this host too.
  const bool proxy = served.program == "nginx" && !absl::StartsWith(context.name, "k3d-");
  if (served.who == Served::Who::kServer && !proxy) {
    assessment.place = Place::kLocal;
    assessment.because = absl::StrCat("the cluster of ", words, " runs on this host");
    assessment.leads_to.clear();
  } else {
    assessment.because = absl::StrCat("the server of ", words, ": ", DescribeServed(served));
    if (served.who == Served::Who::kUnseen) assessment.blind_spot = "listener unseen";
  }
  return assessment;
}

}  // namespace holdpoint
