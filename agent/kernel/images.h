#pragma once

#include "agent/kernel/loader.h"

namespace holdpoint {

// The BPF objects that are built into the daemon, one for each bpf/*.bpf.c.
BpfImage SessionImage();
BpfImage ExecImage();
BpfImage IterImage();
BpfImage ConnectImage();
BpfImage WaitImage();
BpfImage WaitWorkImage();
BpfImage EscapeImage();
BpfImage LeaveImage();
BpfImage GuardImage();
BpfImage GuardReturnImage();
BpfImage GuardTaskImage();
BpfImage GuardLsmImage();
BpfImage TamperImage();
BpfImage TamperLsmImage();

}  // namespace holdpoint
