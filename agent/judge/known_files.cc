#include "agent/judge/known_files.h"

#include <algorithm>

namespace holdpoint {
namespace {

void AddName(const std::string& name, std::vector<std::string>* names) {
  if (std::find(names->begin(), names->end(), name) == names->end()) names->push_back(name);
}

}  // namespace

KnownFiles::KnownFiles(const google::protobuf::RepeatedPtrField<v1::KnownFile>& files) {
  for (const v1::KnownFile& file : files) {
    AddName(file.name(), &by_id_[FileId{file.device(), file.inode(), file.ctime_ns()}]);
    if (file.sha256().empty()) continue;
    AddName(file.name(), &by_content_[file.sha256()]);
    sizes_.insert(file.size());
  }
}

const std::vector<std::string>* KnownFiles::ByIdentity(const FileId& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &it->second;
}

const std::vector<std::string>* KnownFiles::ByContent(const std::string& sha256) const {
  const auto it = by_content_.find(sha256);
  return it == by_content_.end() ? nullptr : &it->second;
}

}  // namespace holdpoint
