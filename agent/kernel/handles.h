#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <memory>

namespace holdpoint {

// Owners of what libbpf hands out.
struct BpfObjectClose {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using BpfObjectPtr = std::unique_ptr<bpf_object, BpfObjectClose>;

// Destroying a link that is pinned leaves the program attached; one that is not pinned is detached.
struct BpfLinkDestroy {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using BpfLinkPtr = std::unique_ptr<bpf_link, BpfLinkDestroy>;

struct RingFree {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using RingPtr = std::unique_ptr<ring_buffer, RingFree>;

}  // namespace holdpoint
