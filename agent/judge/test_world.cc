#include "agent/judge/test_world.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace holdpoint::testworld {

std::vector<PolicyFile> ShippedPacks(const std::vector<std::string>& names) {
  const char* source = getenv("HP_SOURCE_DIR");
  std::vector<PolicyFile> files;
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(source == nullptr ? "." : source, "/rules/", name, ".yaml");
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    files.push_back({absl::StrCat(name, ".yaml"), text.str()});
  }
  return files;
}

v1::ToJudge ConfigureMessage(uint64_t id, const std::string& configuration) {
  v1::ToJudge message;
  message.set_id(id);
  v1::Configure* configure = message.mutable_configure();
  configure->mutable_configuration()->set_name("holdpoint.yaml");
  configure->mutable_configuration()->set_content(configuration);
  for (const PolicyFile& pack : ShippedPacks()) {
    v1::Configure::File* file = configure->add_rules();
    file->set_name(pack.name);
    file->set_content(pack.bytes);
  }
  configure->set_fingerprint_key(std::string(32, 'k'));
  return message;
}

v1::ToJudge ExecMessage(uint64_t id, const std::string& executable, const std::vector<std::string>& argv) {
  v1::ToJudge message;
  message.set_id(id);
  v1::ConsultExec* exec = message.mutable_exec();
  exec->mutable_session()->set_environment("staging");
  exec->mutable_session()->set_environment_source("flag");
  exec->mutable_session()->set_workspace("/srv/shop");
  exec->mutable_session()->set_home("/home/dev");
  exec->mutable_session()->set_uid(1000);
  exec->mutable_process()->set_tgid(4242);
  exec->mutable_process()->set_device(1);
  exec->mutable_process()->set_inode(100);
  exec->set_ctime_ns(7);
  exec->set_raw_executable(executable);
  exec->set_raw_working_directory("/srv/shop");
  exec->set_raw_argv(absl::StrCat(absl::StrJoin(argv, std::string(1, '\0')), std::string(1, '\0')));
  return message;
}

std::vector<std::string> IncidentArgv(const std::string& host) {
  return {"curl", "-X",
          "POST", absl::StrCat("https://", host, "/graphql/v2"),
          "-H",   absl::StrCat("Authorization: Bearer ", kToken),
          "-d",   "{\"query\":\"mutation { volumeDelete(volumeId: \\\"3d2c42fb-0000-4000-8000-000000000000\\\") }\"}"};
}

}  // namespace holdpoint::testworld
