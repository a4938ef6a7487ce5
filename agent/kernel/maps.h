#pragma once

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/base/status.h"

namespace holdpoint {

// A map with typed keys and values. Borrows the descriptor, which belongs to the loaded object.
template <typename Key, typename Value>
class MapView {
 public:
  MapView() = default;
  MapView(int fd, absl::string_view name) : fd_(fd), name_(name) {}

  int fd() const { return fd_; }

  // kNotFound: no such key.
  absl::StatusOr<Value> Get(const Key& key) const {
    Value value{};
    if (bpf_map_lookup_elem(fd_, &key, &value) != 0) return ErrnoStatus(name_);
    return value;
  }
  absl::Status Put(const Key& key, const Value& value, uint64_t flags = BPF_ANY) const {
    if (bpf_map_update_elem(fd_, &key, &value, flags) == 0) return absl::OkStatus();
    // A full map says E2BIG, which errno's own words do not explain.
    if (errno == E2BIG) return absl::ResourceExhaustedError(absl::StrCat(name_, ": the table is full"));
    return ErrnoStatus(name_);
  }
  // Not there is fine.
  absl::Status Erase(const Key& key) const {
    if (bpf_map_delete_elem(fd_, &key) == 0 || errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(name_);
  }
  // The keys at some moment; what others add meanwhile may be missing.
  std::vector<Key> Keys() const {
    std::vector<Key> keys;
    Key key{};
    const Key* previous = nullptr;
    while (bpf_map_get_next_key(fd_, previous, &key) == 0) {
      keys.push_back(key);
      previous = &keys.back();
    }
    return keys;
  }

 private:
  int fd_ = -1;
  absl::string_view name_;
};

// An array of one that is mapped into this process. Fields are stored one by one: the kernel writes beside us.
template <typename Value>
class MappedValue {
 public:
  MappedValue() = default;
  MappedValue(MappedValue&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  MappedValue& operator=(MappedValue&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~MappedValue() {
    if (value_ != nullptr) munmap(value_, sizeof(Value));
  }

  static absl::StatusOr<MappedValue> Map(int fd, absl::string_view name) {
    void* at = mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return ErrnoStatus(absl::StrCat("map ", name));
    MappedValue mapped;
    mapped.value_ = static_cast<Value*>(at);
    return mapped;
  }
  Value* get() const { return value_; }

 private:
  Value* value_ = nullptr;
};

template <typename T>
void StoreField(T& field, T value) {
  __atomic_store_n(&field, value, __ATOMIC_RELEASE);
}
template <typename T>
T LoadField(const T& field) {
  return __atomic_load_n(&field, __ATOMIC_ACQUIRE);
}

}  // namespace holdpoint
