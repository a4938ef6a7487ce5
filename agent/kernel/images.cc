#include "agent/kernel/images.h"

#include "exec.skel.h"
#include "iter.skel.h"
#include "session.skel.h"

namespace holdpoint {
namespace {

BpfImage Image(const char* name, const void* (*bytes)(size_t*)) {
  BpfImage image{.name = name, .data = nullptr, .size = 0};
  image.data = bytes(&image.size);
  return image;
}

}  // namespace

BpfImage SessionImage() { return Image("session", session__elf_bytes); }
BpfImage ExecImage() { return Image("exec", exec__elf_bytes); }
BpfImage IterImage() { return Image("iter", iter__elf_bytes); }

}  // namespace holdpoint
