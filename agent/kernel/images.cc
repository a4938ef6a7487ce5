#include "agent/kernel/images.h"

#include "connect.skel.h"
#include "escape.skel.h"
#include "exec.skel.h"
#include "guard.skel.h"
#include "guard_lsm.skel.h"
#include "guard_return.skel.h"
#include "guard_task.skel.h"
#include "iter.skel.h"
#include "leave.skel.h"
#include "session.skel.h"
#include "tamper.skel.h"
#include "tamper_lsm.skel.h"
#include "wait.skel.h"
#include "wait_work.skel.h"

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
BpfImage ConnectImage() { return Image("connect", connect__elf_bytes); }
BpfImage WaitImage() { return Image("wait", wait__elf_bytes); }
BpfImage WaitWorkImage() { return Image("wait_work", wait_work__elf_bytes); }
BpfImage EscapeImage() { return Image("escape", escape__elf_bytes); }
BpfImage LeaveImage() { return Image("leave", leave__elf_bytes); }
BpfImage GuardImage() { return Image("guard", guard__elf_bytes); }
BpfImage GuardReturnImage() { return Image("guard_return", guard_return__elf_bytes); }
BpfImage GuardTaskImage() { return Image("guard_task", guard_task__elf_bytes); }
BpfImage TamperImage() { return Image("tamper", tamper__elf_bytes); }
BpfImage TamperLsmImage() { return Image("tamper_lsm", tamper_lsm__elf_bytes); }
BpfImage GuardLsmImage() { return Image("guard_lsm", guard_lsm__elf_bytes); }

}  // namespace holdpoint
