#include "agent/kernel/triage.h"

#include <cstring>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/base/fd.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

template <typename Key>
bool Less(const Key& a, const Key& b) {
  return std::memcmp(&a, &b, sizeof(Key)) < 0;
}

template <typename Key>
absl::Status Put(const MapView<Key, uint32_t>& map, const std::vector<Key>& wanted) {
  for (const Key& key : wanted) HP_RETURN_IF_ERROR(map.Put(key, 1));
  return absl::OkStatus();
}

// Bytes decide, so keys have no padding.
template <typename Key>
absl::Status EraseOthers(const MapView<Key, uint32_t>& map, const std::vector<Key>& wanted) {
  const std::set<Key, bool (*)(const Key&, const Key&)> keys(wanted.begin(), wanted.end(), &Less<Key>);
  for (const Key& key : map.Keys()) {
    if (keys.find(key) == keys.end()) HP_RETURN_IF_ERROR(map.Erase(key));
  }
  return absl::OkStatus();
}

std::vector<hp_basename> KeysOf(const std::vector<std::string>& names) {
  std::vector<hp_basename> keys;
  for (const std::string& name : names) {
    // The programs take a longer name for one that is listed.
    if (name.empty() || name.size() >= HP_BASENAME_MAX) continue;
    hp_basename& key = keys.emplace_back();
    std::memcpy(key.name, name.data(), name.size());
  }
  return keys;
}

absl::StatusOr<UniqueFd> MakeTable(const Kernel::TriageTables& tables, uint32_t generation) {
  std::vector<hp_triage_row> rows(tables.rows.size() / sizeof(hp_triage_row));
  if (rows.size() < HP_TRIAGE_FIRST || rows.size() > HP_TRIAGE_ROWS_MAX ||
      tables.rows.size() % sizeof(hp_triage_row) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("triage: ", tables.rows.size(), " bytes are no table of automata"));
  }
  std::memcpy(rows.data(), tables.rows.data(), tables.rows.size());
  rows[0] = {};
  rows[0].next[0] = generation;
  rows[0].next[1] = static_cast<uint32_t>(rows.size());
  rows[0].next[2] = tables.unseen;
  bpf_map_create_opts options = {};
  options.sz = sizeof(options);
  options.map_flags = BPF_F_INNER_MAP;
  UniqueFd table(bpf_map_create(BPF_MAP_TYPE_ARRAY, "hp_triage", sizeof(uint32_t), sizeof(hp_triage_row),
                                static_cast<uint32_t>(rows.size()), &options));
  if (!table.ok()) return ErrnoStatus("triage: make a table");
  std::vector<uint32_t> keys(rows.size());
  for (uint32_t i = 0; i < keys.size(); ++i) keys[i] = i;
  uint32_t count = static_cast<uint32_t>(rows.size());
  if (bpf_map_update_batch(table.get(), keys.data(), rows.data(), &count, nullptr) == 0) return table;
  for (const uint32_t key : keys) {
    if (bpf_map_update_elem(table.get(), &key, &rows[key], BPF_ANY) != 0) return ErrnoStatus("triage: fill a table");
  }
  return table;
}

}  // namespace

absl::Status PutTriage(const TriageMaps& maps, const Kernel::TriageTables& tables, uint32_t generation) {
  HP_ASSIGN_OR_RETURN(const UniqueFd table, MakeTable(tables, generation));
  HP_RETURN_IF_ERROR(Put(maps.names, KeysOf(tables.names)));
  HP_RETURN_IF_ERROR(Put(maps.sizes, tables.sizes));
  const uint32_t slot = generation & 1;
  const int fd = table.get();
  if (bpf_map_update_elem(maps.tables, &slot, &fd, BPF_ANY) != 0) return ErrnoStatus("triage: put a table in force");
  return absl::OkStatus();
}

absl::Status TrimTriage(const TriageMaps& maps, const std::vector<std::string>& names, const std::vector<uint64_t>& sizes) {
  HP_RETURN_IF_ERROR(EraseOthers(maps.names, KeysOf(names)));
  return EraseOthers(maps.sizes, sizes);
}

}  // namespace holdpoint
