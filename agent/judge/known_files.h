#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/ids.h"
#include "google/protobuf/repeated_field.h"
#include "holdpoint/v1/judge.pb.h"

namespace holdpoint {

// The files of this host's PATH, so that a program is known by what it is. One file may have several names.
class KnownFiles {
 public:
  KnownFiles() = default;
  explicit KnownFiles(const google::protobuf::RepeatedPtrField<v1::KnownFile>& files);

  // The names of exactly this file: same device, inode and ctime. Null where it is not known or has changed since.
  const std::vector<std::string>* ByIdentity(const FileId& id) const;
  // The names of the files with this content; null for none.
  const std::vector<std::string>* ByContent(const std::string& sha256) const;
  // A listed file has this size: then only its content can tell.
  bool HasSize(uint64_t size) const { return sizes_.count(size) != 0; }
  const std::set<uint64_t>& sizes() const { return sizes_; }
  bool empty() const { return by_id_.empty(); }

 private:
  std::map<FileId, std::vector<std::string>> by_id_;
  std::map<std::string, std::vector<std::string>> by_content_;
  std::set<uint64_t> sizes_;
};

}  // namespace holdpoint
