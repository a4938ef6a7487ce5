#include "agent/kernel/loader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

// Loading happens on one thread; libbpf's print function has no context argument.
thread_local std::string last_complaint;

int KeepComplaint(libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG) return 0;
  char text[1024];
  vsnprintf(text, sizeof(text), format, args);
  // The first complaint is the cause, what follows are its consequences. Verifier logs begin with this mark.
  if (level == LIBBPF_WARN && last_complaint.empty() && !absl::StrContains(text, "-- BEGIN PROG LOAD LOG --")) {
    last_complaint = std::string(absl::StripTrailingAsciiWhitespace(absl::StripPrefix(text, "libbpf: ")));
  }
  return 0;
}

absl::Status LoadError(const char* object, int error) {
  const std::string message =
      absl::StrCat("BPF object ", object, ": ", strerror(error), last_complaint.empty() ? "" : ": ", last_complaint);
  if (error == EPERM || error == EACCES) return absl::PermissionDeniedError(message);
  return absl::FailedPreconditionError(message);
}

bool IsShared(absl::string_view name) { return absl::StartsWith(name, "hp_") && !absl::StartsWith(name, "hp_tmp_"); }

}  // namespace

void CaptureLibbpfLog() { libbpf_set_print(KeepComplaint); }

absl::StatusOr<LoadedObject> LoadedObject::Load(const BpfImage& image, const Pins& pins, uint32_t load,
                                                const std::vector<std::string>& only,
                                                const std::map<std::string, uint32_t>& switches) {
  last_complaint.clear();
  bpf_object_open_opts options = {};
  options.sz = sizeof(options);
  options.object_name = image.name;
  LoadedObject loaded;
  loaded.object_.reset(bpf_object__open_mem(image.data, image.size, &options));
  if (loaded.object_ == nullptr) return LoadError(image.name, errno);
  bpf_map* map;
  bpf_object__for_each_map(map, loaded.object_.get()) {
    const std::string name = bpf_map__name(map);
    const auto set = switches.find(name);
    if (set != switches.end()) {
      if (int error = bpf_map__set_initial_value(map, &set->second, sizeof(set->second)); error != 0) {
        return LoadError(image.name, -error);
      }
    }
    if (IsShared(name)) {
      if (int error = bpf_map__set_pin_path(map, pins.MapPath(name).c_str()); error != 0) {
        return LoadError(image.name, -error);
      }
    } else if (name == ".rodata.hp") {
      if (int error = bpf_map__set_initial_value(map, &load, sizeof(load)); error != 0) {
        return LoadError(image.name, -error);
      }
    }
  }
  bpf_program* program;
  bpf_object__for_each_program(program, loaded.object_.get()) {
    const bool wanted = only.empty() || std::find(only.begin(), only.end(), bpf_program__name(program)) != only.end();
    bpf_program__set_autoload(program, wanted);
  }
  if (int error = bpf_object__load(loaded.object_.get()); error != 0) return LoadError(image.name, -error);
  return loaded;
}

absl::Status LoadedObject::Attach(const std::string& directory, int cgroup_fd) {
  last_complaint.clear();
  bpf_program* program;
  bpf_object__for_each_program(program, object_.get()) {
    if (!bpf_program__autoload(program)) continue;
    const std::string name = bpf_program__name(program);
    const bool cgroup = bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
    BpfLinkPtr link(cgroup ? bpf_program__attach_cgroup(program, cgroup_fd) : bpf_program__attach(program));
    if (link == nullptr) {
      const int error = errno;
      Detach();
      return LoadError(name.c_str(), error);
    }
    const std::string path = absl::StrCat(directory, "/", name);
    if (int error = bpf_link__pin(link.get(), path.c_str()); error != 0) {
      Detach();
      return LoadError(name.c_str(), -error);
    }
    links_[path] = std::move(link);
  }
  return absl::OkStatus();
}

void LoadedObject::Detach() {
  for (const auto& [path, link] : links_) unlink(path.c_str());
  links_.clear();
}

std::vector<std::string> LoadedObject::RepairPins() const {
  std::vector<std::string> repaired;
  for (const auto& [path, link] : links_) {
    if (access(path.c_str(), F_OK) == 0) continue;
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    (void)bpf_obj_pin(bpf_link__fd(link.get()), path.c_str());  // Said as missing in any case, and tried again.
    repaired.push_back(path);
  }
  return repaired;
}

std::vector<std::string> LoadedObject::RepairMapPins(const Pins& pins) const {
  std::vector<std::string> repaired;
  bpf_map* map;
  bpf_object__for_each_map(map, object_.get()) {
    const std::string path = pins.MapPath(bpf_map__name(map));
    if (!IsShared(bpf_map__name(map)) || access(path.c_str(), F_OK) == 0) continue;
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    (void)bpf_obj_pin(bpf_map__fd(map), path.c_str());
    repaired.push_back(path);
  }
  return repaired;
}

int LoadedObject::MapFd(const std::string& name) const {
  const bpf_map* map = bpf_object__find_map_by_name(object_.get(), name.c_str());
  return map == nullptr ? -1 : bpf_map__fd(map);
}

bpf_program* LoadedObject::Program(const std::string& name) const {
  return bpf_object__find_program_by_name(object_.get(), name.c_str());
}

}  // namespace holdpoint
