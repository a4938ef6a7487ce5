#include "agent/judge/judge.h"

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/escape.h"
#include "agent/base/utf8.h"
#include "agent/environment/configured.h"
#include "agent/environment/redact.h"
#include "agent/environment/session_verdict.h"
#include "agent/environment/tags.h"
#include "agent/judge/channel.h"
#include "agent/judge/connect_verdict.h"
#include "agent/policy/package_run.h"
#include "agent/policy/since_start.h"

namespace holdpoint {
namespace {

constexpr size_t kMaxIdentities = 65'536;
constexpr size_t kMaxDescribed = 4096;
constexpr size_t kMaxConfigured = JudgeChannel::kMaxMessage - (256 << 10);

void AddWords(absl::string_view key, const std::vector<std::string>& argv,
              google::protobuf::RepeatedPtrField<std::string>* out) {
  for (const std::string& word : RedactArgv(key, argv)) *out->Add() = ToValidUtf8(word);
}

// From the texts of a judgement, which are made from parts of the argv.
void RemoveSecrets(absl::string_view key, absl::Span<const std::string> argv, v1::Judgement* judgement) {
  std::vector<std::string*> texts = {judgement->mutable_summary(), judgement->mutable_reason()};
  if (judgement->has_resource()) texts.push_back(judgement->mutable_resource()->mutable_id());
  RemoveSecretsOf(key, argv, texts);
}

ExecAct ActOf(const v1::ConsultExec& consult) {
  const v1::Process& process = consult.process();
  ExecAct act;
  act.executable.path = consult.raw_executable().empty() ? process.executable() : consult.raw_executable();
  act.executable.id = FileId{process.device(), process.inode(), consult.ctime_ns()};
  act.argv = SplitRawArgv(consult.raw_argv());
  act.script = consult.raw_script().empty() ? process.script() : consult.raw_script();
  act.interpreter = process.interpreter();
  act.cwd = consult.raw_working_directory().empty() ? process.working_directory() : consult.raw_working_directory();
  act.home = consult.session().home();
  act.uid = process.uid();
  act.environment = SplitRawArgv(consult.raw_environment());
  act.argv_cut = consult.argv_cut();
  act.environment_cut = consult.environment_cut();
  act.stdin_kind = consult.stdin_kind();
  return act;
}

void Merge(const v1::Facts& more, v1::Facts* facts) {
  facts->mutable_paths()->MergeFrom(more.paths());
  facts->mutable_contents()->MergeFrom(more.contents());
  if (!more.executable_sha256().empty()) facts->set_executable_sha256(more.executable_sha256());
  facts->mutable_executable_texts()->MergeFrom(more.executable_texts());
  facts->set_executable_searched(facts->executable_searched() || more.executable_searched());
  facts->mutable_trees()->MergeFrom(more.trees());
  if (more.has_standard_input()) *facts->mutable_standard_input() = more.standard_input();
  if (more.has_git()) *facts->mutable_git() = more.git();
  facts->mutable_listeners()->MergeFrom(more.listeners());
  facts->mutable_processes()->MergeFrom(more.processes());
  facts->mutable_labels()->MergeFrom(more.labels());
  facts->mutable_plans()->MergeFrom(more.plans());
  if (more.has_containers()) *facts->mutable_containers() = more.containers();
  if (more.has_crontab()) *facts->mutable_crontab() = more.crontab();
  if (!more.problem().empty()) facts->set_problem(ToValidUtf8(more.problem()));
}

}  // namespace

Judge::Judge() = default;
Judge::~Judge() = default;

std::vector<v1::FromJudge> Judge::Handle(const v1::ToJudge& message) {
  std::vector<v1::FromJudge> answers;
  // Facts have the kind of answer that the consult has to which they belong.
  v1::ToJudge question;
  if (const auto waiting = waiting_.find(message.id()); message.has_facts() && waiting != waiting_.end()) {
    question = waiting->second.message;
  }
  try {
    Dispatch(message, &answers);
  } catch (const std::exception& error) {
    // A library threw over something that a session wrote. One act is not judged; the next one is.
    waiting_.erase(message.id());
    answers.clear();
    answers.push_back(
        FailMode(message.has_facts() ? question : message, absl::StrCat("the judge failed: ", error.what())));
  }
  return answers;
}

void Judge::Dispatch(const v1::ToJudge& message, std::vector<v1::FromJudge>* answers) {
  v1::FromJudge answer;
  answer.set_id(message.id());
  switch (message.body_case()) {
    case v1::ToJudge::kConfigure:
      *answer.mutable_configured() = HandleConfigure(message.configure());
      break;
    case v1::ToJudge::kRollout:
      *answer.mutable_configured() = HandleRollout(&message.rollout());
      break;
    case v1::ToJudge::kConnect:
      if (policy_ == nullptr) {
        answer = FailMode(message, "the judge has no policy yet");
      } else {
        *answer.mutable_connect() = JudgeConnect(policy_->configuration, *policy_->policy, policy_->hash, message.connect());
      }
      break;
    case v1::ToJudge::kDescribe:
      *answer.mutable_described() = Describe(message.describe());
      break;
    case v1::ToJudge::kServer:
      if (policy_ != nullptr) {
        const v1::ConsultServer& asked = message.server();
        const ServerKind* kind = asked.port() != 0
                                     ? ServerOfPort(policy_->agents, asked.port())
                                     : ServerOfSocket(policy_->agents, asked.socket(), asked.executable());
        if (kind != nullptr) answer.mutable_server()->set_kind(kind->name);
      }
      answer.mutable_server();
      break;
    case v1::ToJudge::kExec:
    case v1::ToJudge::kSession:
      return Consult(message, Waiting{.message = {}, .facts = {}, .asked = {}, .rounds = 0}, answers);
    case v1::ToJudge::kFacts: {
      auto waiting = waiting_.extract(message.id());
      if (waiting.empty()) return;  // Answered with the fail mode meanwhile.
      Merge(message.facts(), &waiting.mapped().facts);
      const v1::ToJudge asked = std::move(waiting.mapped().message);
      return Consult(asked, std::move(waiting.mapped()), answers);
    }
    case v1::ToJudge::BODY_NOT_SET:
      return;
  }
  answers->push_back(std::move(answer));
}

v1::Configured Judge::HandleConfigure(const v1::Configure& configure) {
  v1::Configured configured;
  std::vector<PolicyFile> packs;
  for (const v1::Configure::File& file : configure.rules()) packs.push_back({file.name(), file.content()});
  auto loaded = LoadPolicy({configure.configuration().name(), configure.configuration().content()}, packs,
                           configure.fingerprint_key(), {configure.agents().name(), configure.agents().content()});
  if (!loaded.ok()) {
    configured.set_problem(ToValidUtf8(loaded.status().message()));
    return configured;  // The last good one stays.
  }
  // Twice the same is one: what was made from it holds on to it.
  if (base_ == nullptr || base_->hash != (*loaded)->hash || base_->fingerprint_key != (*loaded)->fingerprint_key) {
    base_ = *std::move(loaded);
    triage_ = std::make_shared<const Triage>(Triage::Compile(*base_->policy, base_->configuration));
  }
  known_files_ = KnownFiles(configure.known_files());
  identities_.clear();
  configured = HandleRollout(configure.has_rollout() ? &configure.rollout() : nullptr);
  // The first of two is only asked which names there are.
  if (!known_files_.empty()) AddTriage(/*rows=*/true, &configured);
  return configured;
}

void Judge::AddTriage(bool rows, v1::Configured* configured) const {
  configured->set_triage_id(triage_->id());
  if (!rows) return;
  for (const std::string& asked : triage_->asked()) configured->add_triage_asked(asked);
  if (configured->ByteSizeLong() + triage_->table().rows().size() * sizeof(AutomatonTable::Row) > kMaxConfigured) {
    configured->add_triage_asked("everything: the rules leave no room for the automata");
    return;
  }
  std::string bytes;
  bytes.reserve(triage_->table().rows().size() * sizeof(AutomatonTable::Row));
  for (const AutomatonTable::Row& row : triage_->table().rows()) {
    bytes.append(reinterpret_cast<const char*>(row.data()), sizeof(row));
  }
  configured->set_triage(std::move(bytes));
  configured->set_triage_states(static_cast<uint32_t>(triage_->table().rows().size() - AutomatonTable::kFirst));
  configured->set_triage_unseen(triage_->unlisted());
  for (const std::string& name : configured->listed_names()) configured->add_triage_names(name);
  for (const ServerKind& server : policy_->agents.servers) {
    for (const std::string& name : server.commands) configured->add_triage_names(name);
  }
  for (const uint64_t size : known_files_.sizes()) configured->add_triage_sizes(size);
}

v1::Configured Judge::HandleRollout(const v1::Rollout* rollout) {
  v1::Configured configured;
  if (base_ == nullptr) {
    configured.set_problem("the judge has no policy yet");
    return configured;
  }
  policy_ = WithRollout(*base_, rollout);
  AddTriage(/*rows=*/false, &configured);
  FillConfigured(base_->configuration, base_->agents, &configured);
  for (v1::Environment& environment : *configured.mutable_environments()) {
    environment.set_enforce(policy_->configuration.Find(environment.name())->mode == Mode::kEnforce);
  }
  configured.mutable_rule_states()->Assign(policy_->rules.begin(), policy_->rules.end());
  configured.set_accepted(true);
  configured.set_policy_hash(policy_->hash);
  configured.set_rules(static_cast<uint32_t>(policy_->policy->rules().size()));
  for (const std::string& name : policy_->policy->ListedNames()) configured.add_listed_names(name);
  for (const std::string& name : PackageManagers()) configured.add_listed_names(name);
  return configured;
}

void Judge::Consult(const v1::ToJudge& message, Waiting waiting, std::vector<v1::FromJudge>* answers) {
  if (policy_ == nullptr) {
    answers->push_back(FailMode(message, "the judge has no policy yet"));
    return;
  }
  const uint64_t id = message.id();
  v1::FromJudge answer;
  answer.set_id(id);
  const bool may_ask = waiting.rounds < kMaxRounds && !(message.has_exec() && message.exec().describe_only());
  v1::FactsWanted wanted;
  if (message.has_exec()) {
    *answer.mutable_exec() = JudgeExec(message.exec(), waiting.facts, &wanted);
  } else {
    *answer.mutable_session() = JudgeSession(message.session(), waiting.facts, waiting.rounds, &wanted);
  }
  if (may_ask) wanted = OnlyNew(wanted, &waiting.asked);
  if (message.has_exec()) wanted.set_since_unix_ns(message.exec().session().started_unix_ns());
  // Who gives the judge more time has a busy machine, and so has the reader.
  wanted.set_budget_ms(std::max(wanted.budget_ms(), policy_->configuration.limits.consult_ms));
  if (wanted.standard_input_bytes() > 0) {  // Whoever writes into a pipe is on that machine too.
    wanted.set_standard_input_wait_ms(
        std::max(wanted.standard_input_wait_ms(), policy_->configuration.limits.consult_ms / 4));
    wanted.set_budget_ms(std::max(wanted.budget_ms(), wanted.standard_input_wait_ms() + FactBook::kBudgetMs));
  }
  const bool asks = wanted.paths_size() > 0 || wanted.content_of_size() > 0 || wanted.executable_sha256() ||
                    wanted.git_state() || wanted.git_status() || wanted.git_changes() ||
                    wanted.executable_texts_size() > 0 ||
                    wanted.trees_size() > 0 || wanted.listeners_size() > 0 || wanted.processes_size() > 0 ||
                    wanted.container_store() || wanted.crontab() || wanted.plans_size() > 0 ||
                    wanted.standard_input_bytes() > 0;
  if (!may_ask || !asks) {
    answers->push_back(std::move(answer));
    return;
  }
  if (waiting_.size() >= kMaxWaiting) {
    auto oldest = waiting_.extract(waiting_.begin());
    answers->push_back(FailMode(oldest.mapped().message, "too many acts wait to be judged"));
  }
  ++waiting.rounds;
  waiting.message = message;
  v1::FromJudge question;
  question.set_id(id);
  *question.mutable_facts_wanted() = std::move(wanted);
  waiting_[id] = std::move(waiting);
  answers->push_back(std::move(question));
}

v1::ExecVerdict Judge::JudgeExec(const v1::ConsultExec& consult, const v1::Facts& facts, v1::FactsWanted* wanted) {
  const Policy& policy = *policy_->policy;
  ExecAct act = ActOf(consult);
  const Identity identity = Identify(consult, facts, wanted);
  act.executable.known_as = identity.names;
  act.executable.sha256 = identity.sha256;
  v1::ExecVerdict verdict;
  const ServerKind* const server = ServerOf(act, identity.names);
  if (server != nullptr) verdict.set_server(server->name);
  if (const CodingAgent* agent = FindAgent(policy_->agents, consult.session().coding_agent())) {
    for (auto& [name, value] : JoinKeys(*agent, act.environment)) (*verdict.mutable_join_keys())[name] = value;
  }
  const absl::string_view base = act.executable.path;
  const std::vector<std::string>& managers = PackageManagers();
  const bool manages = std::find(managers.begin(), managers.end(), base.substr(base.rfind('/') + 1)) != managers.end();
  FactBook book(&facts);
  *verdict.mutable_judgement() =
      policy.Evaluate(act, {policy_->configuration, policy_->fingerprint_key, consult.session(), nullptr}, &book,
                      verdict.mutable_footprint());
  v1::Judgement& judgement = *verdict.mutable_judgement();
  judgement.set_policy_hash(policy_->hash);
  if (manages && !consult.describe_only()) {
    const PackageRun run = PackageRunOf(act, identity.names, consult.session(), &book);
    verdict.set_package_run(run.name);
    if (!run.name.empty() && judgement.verdict() <= v1::VERDICT_ALLOW) {
      judgement.set_verdict(v1::VERDICT_AUDIT);
      judgement.set_rule("package.run");
      judgement.set_effect(v1::EFFECT_WRITE);
      judgement.set_reason("changes packages of the system; its maintainer scripts are recorded, not stopped half-way");
    }
  }
  if (book.WantsMore()) wanted->MergeFrom(book.wanted());
  if (!identity.settled) {
    wanted->set_max_bytes(FactBook::kMaxContentBytes);
    wanted->set_budget_ms(std::max(wanted->budget_ms(), FactBook::kBudgetMs));
    if (!consult.describe_only()) judgement.add_blind_spots("executable not identified by its content");
  }
  // A file that nobody could identify is asked about again; what hands work on or changes packages each time.
  if (identity.settled) {
    verdict.set_executable_class(v1::EXECUTABLE_CLASS_ARGUMENTS);
    if (server == nullptr && !manages) {
      const Triage::FileClass file = triage_->ClassOfFile(policy, identity.names, act.executable.path);
      if (file.harmless) verdict.set_executable_class(v1::EXECUTABLE_CLASS_HARMLESS);
      verdict.set_triage_state(file.state);
      verdict.set_triage_id(triage_->id());
    }
  }
  verdict.set_executable_sha256(identity.sha256);
  AddWords(policy_->fingerprint_key, act.argv, verdict.mutable_argv());
  RemoveSecrets(policy_->fingerprint_key, act.argv, &judgement);
  return verdict;
}

const ServerKind* Judge::ServerOf(const ExecAct& act, const std::vector<std::string>& known_as) const {
  const absl::string_view path = act.executable.path;
  const ServerKind* server = ServerOfCommand(policy_->agents, path.substr(path.rfind('/') + 1));
  for (size_t i = 0; server == nullptr && i < known_as.size(); ++i) {
    server = ServerOfCommand(policy_->agents, known_as[i]);
  }
  return server;
}

Judge::Identity Judge::Identify(const v1::ConsultExec& consult, const v1::Facts& facts, v1::FactsWanted* wanted) {
  const FileId id{consult.process().device(), consult.process().inode(), consult.ctime_ns()};
  Identity identity;
  if (const std::vector<std::string>* names = known_files_.ByIdentity(id)) {
    identity.settled = true;
    identity.names = *names;
    return identity;
  }
  const bool may_change = consult.executable_may_change();
  if (const auto seen = identities_.find(id); !may_change && seen != identities_.end()) return seen->second;
  const uint64_t size = consult.executable_size();
  if (known_files_.empty() || (size != 0 && !known_files_.HasSize(size))) {
    identity.settled = true;
  } else if (!facts.executable_sha256().empty()) {
    identity.settled = true;
    identity.sha256 = ToValidUtf8(facts.executable_sha256());
    if (const std::vector<std::string>* names = known_files_.ByContent(identity.sha256)) identity.names = *names;
  } else {
    wanted->set_executable_sha256(true);
    return identity;
  }
  if (may_change) return identity;
  if (identities_.size() >= kMaxIdentities) identities_.clear();
  identities_[id] = identity;
  return identity;
}

v1::SessionVerdict Judge::JudgeSession(const v1::ConsultSession& consult, const v1::Facts& facts, int rounds,
                                       v1::FactsWanted* wanted) const {
  const v1::Facts* const read = rounds == 0 ? nullptr : &facts;
  if (std::optional<v1::FactsWanted> session_wants = SessionFactsWanted(consult, policy_->agents, read)) {
    *wanted = *std::move(session_wants);
  }
  v1::SessionVerdict verdict =
      HandleConsultSession(consult, read, policy_->configuration, policy_->agents, policy_->fingerprint_key);
  if (verdict.is_session() && read != nullptr) *verdict.mutable_start() = StartStateOf(read->git());
  return verdict;
}

v1::Described Judge::Describe(const v1::Describe& describe) const {
  v1::Described described;
  const absl::string_view key = policy_ == nullptr ? absl::string_view() : absl::string_view(policy_->fingerprint_key);
  for (int i = 0; i < describe.raw_argv_size(); ++i) {
    v1::Described::Argv* argv = described.add_argv();
    if (static_cast<size_t>(i) < kMaxDescribed) AddWords(key, SplitRawArgv(describe.raw_argv(i)), argv->mutable_words());
  }
  return described;
}

v1::FromJudge Judge::FailMode(const v1::ToJudge& message, absl::string_view why) const {
  v1::FromJudge answer;
  answer.set_id(message.id());
  if (message.has_facts()) return answer;
  v1::Judgement judgement;
  const std::string& environment =
      message.has_connect() ? message.connect().session().environment() : message.exec().session().environment();
  const EnvironmentConfig* config = policy_ == nullptr ? nullptr : policy_->configuration.Find(environment);
  judgement.set_verdict(config != nullptr && config->fail_closed ? v1::VERDICT_REFUSE : v1::VERDICT_AUDIT);
  judgement.set_rule("fail-mode");
  judgement.set_effect(v1::EFFECT_UNSEEN);
  judgement.set_reason(EscapeAndClip(why, 160));
  judgement.add_blind_spots(EscapeAndClip(absl::StrCat("not judged: ", why), 160));
  if (config != nullptr) judgement.set_observed_only(config->mode == Mode::kObserve);
  if (policy_ != nullptr) judgement.set_policy_hash(policy_->hash);
  switch (message.body_case()) {
    case v1::ToJudge::kConnect:
      *answer.mutable_connect()->mutable_judgement() = std::move(judgement);
      break;
    case v1::ToJudge::kSession:
      // Who can't be recognised is a session: losing one is worse than watching one too many.
      answer.mutable_session()->set_is_session(true);
      answer.mutable_session()->set_recognised_by("not judged");
      answer.mutable_session()->set_problem(ToValidUtf8(why));
      break;
    case v1::ToJudge::kConfigure:
    case v1::ToJudge::kRollout:
      answer.mutable_configured()->set_problem(ToValidUtf8(why));
      break;
    case v1::ToJudge::kDescribe:
      for (int i = 0; i < message.describe().raw_argv_size(); ++i) answer.mutable_described()->add_argv();
      break;
    default:
      *answer.mutable_exec()->mutable_judgement() = std::move(judgement);
  }
  return answer;
}

v1::FactsWanted Judge::OnlyNew(const v1::FactsWanted& wanted, v1::FactsWanted* asked) {
  v1::FactsWanted fresh;
  const auto add = [](const google::protobuf::RepeatedPtrField<std::string>& from,
                      google::protobuf::RepeatedPtrField<std::string>* before,
                      google::protobuf::RepeatedPtrField<std::string>* to) {
    std::set<std::string> known(before->begin(), before->end());
    for (const std::string& path : from) {
      if (!known.insert(path).second) continue;
      *to->Add() = path;
      *before->Add() = path;
    }
  };
  add(wanted.paths(), asked->mutable_paths(), fresh.mutable_paths());
  add(wanted.content_of(), asked->mutable_content_of(), fresh.mutable_content_of());
  // A later answer about git takes the place of an earlier one: it has to have all that was wanted so far.
  if ((wanted.git_state() && !asked->git_state()) || (wanted.git_status() && !asked->git_status()) ||
      (wanted.git_changes() && !asked->git_changes())) {
    asked->set_git_state(true);
    asked->set_git_status(asked->git_status() || wanted.git_status());
    asked->set_git_changes(asked->git_changes() || wanted.git_changes());
    fresh.set_git_state(true);
    fresh.set_git_status(asked->git_status());
    fresh.set_git_changes(asked->git_changes());
  }
  fresh.set_executable_sha256(wanted.executable_sha256() && !asked->executable_sha256());
  asked->set_executable_sha256(asked->executable_sha256() || wanted.executable_sha256());
  add(wanted.trees(), asked->mutable_trees(), fresh.mutable_trees());
  add(wanted.executable_texts(), asked->mutable_executable_texts(), fresh.mutable_executable_texts());
  add(wanted.plans(), asked->mutable_plans(), fresh.mutable_plans());
  std::set<std::string> listeners;
  for (const v1::ListenerWanted& one : asked->listeners()) listeners.insert(one.SerializeAsString());
  for (const v1::ListenerWanted& one : wanted.listeners()) {
    if (!listeners.insert(one.SerializeAsString()).second) continue;
    *fresh.add_listeners() = one;
    *asked->add_listeners() = one;
  }
  std::set<uint32_t> processes(asked->processes().begin(), asked->processes().end());
  for (const uint32_t pid : wanted.processes()) {
    if (!processes.insert(pid).second) continue;
    fresh.add_processes(pid);
    asked->add_processes(pid);
  }
  fresh.set_container_store(wanted.container_store() && !asked->container_store());
  asked->set_container_store(asked->container_store() || wanted.container_store());
  fresh.set_crontab(wanted.crontab() && !asked->crontab());
  asked->set_crontab(asked->crontab() || wanted.crontab());
  if (wanted.standard_input_bytes() > 0 && asked->standard_input_bytes() == 0) {
    fresh.set_standard_input_bytes(wanted.standard_input_bytes());
    fresh.set_standard_input_wait_ms(wanted.standard_input_wait_ms());
    asked->set_standard_input_bytes(wanted.standard_input_bytes());
  }
  fresh.set_max_bytes(wanted.max_bytes());
  fresh.set_budget_ms(wanted.budget_ms());
  return fresh;
}

}  // namespace holdpoint
