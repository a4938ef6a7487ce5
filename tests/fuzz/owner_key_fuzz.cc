#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/presence/key_proof.h"
#include "agent/presence/owner_key.h"
#include "agent/presence/ssh_signature.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdpoint;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto keys = ParseOwnerKeys(bytes);
  (void)ParseKeyBlob(bytes);
  (void)ParseSshSignature(bytes);
  // What was read fits into a request, and is the same on the other side.
  if (const auto proof = ReadSignatureFile(bytes); proof.ok()) {
    const std::string line = RenderKeyProof(*proof);
    const auto carried = ParseKeyProof(line);
    if (line.size() > 127 || !carried.ok() || RenderKeyProof(*carried) != line) std::abort();
  }
  if (const auto proof = ParseKeyProof(bytes); proof.ok() && keys.ok()) (void)VerifyKeyProof(*proof, *keys, "x", bytes);
  return 0;
}
