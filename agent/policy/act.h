#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/base/ids.h"
#include "agent/base/sha256.h"
#include "holdpoint/v1/event.pb.h"

// What is judged: values that the kernel and the gate saw, and the digest that names an act.
namespace holdpoint {

// The file that an exec runs. `known_as` is its name as a tool by what it is: the names under which a listed tool with
// the same file or the same content stands on this host's PATH; empty where it is none of them.
struct Executable {
  std::string path;  // as the kernel resolved it
  FileId id;
  std::string sha256;  // hexadecimal; empty where nobody had to read it
  std::vector<std::string> known_as;
};

// One exec. Everything in it comes from a session and is hostile.
struct ExecAct {
  Executable executable;
  std::vector<std::string> argv;
  std::string script;  // path as given where the kernel ran an interpreter for it
  std::string interpreter;
  std::string cwd;   // absolute
  std::string home;  // of the session's user
  uint32_t uid = 0;
  std::vector<std::string> environment;  // "NAME=VALUE"
  bool argv_cut = false;
  bool environment_cut = false;
  std::string stdin_kind;  // "pipe", "socket", "file", "terminal": where something to read may come from

  // Only where the act was read from a command line's text (`holdpoint check`, sh -c), not seen by the kernel:
  bool unexpanded = false;       // no shell has expanded variables, tildes and globs
  bool unseen_operands = false;  // more operands follow that nobody has seen (xargs)
  bool piped_input = false;      // its standard input is a pipe
  bool from_descriptor = false;  // its program text comes from a pipe: bash -s, python -
  std::optional<std::string> input_text;  // a here-document, or what echo writes into its pipe
  std::string input_file;        // "< FILE"

  // Where it runs. What runs elsewhere is seen only in the words of what starts it, and nothing can be looked at there.
  enum class Place { kHere, kHost, kContainer };
  Place place = Place::kHere;
  std::string remote_host;  // another host, as the command line names it
  bool unlabelled = false;  // it has no exec in the session: another host, a container, a job for later
};

// A file whose content decides about the act, by its hash.
struct ActContent {
  std::string name;    // as the act names it
  std::string sha256;  // hexadecimal
};

// Everything that makes two acts the same one. Kept apart from ExecAct, so that nothing enters the digest by accident.
struct ActIdentity {
  std::string kind;  // "exec", "connect"
  std::string executable;
  FileId executable_id;
  std::vector<std::string> argv;  // secrets replaced by their keyed fingerprint: the digest leaves the host
  std::string cwd;
  std::vector<ActContent> contents;  // scripts, bodies, configuration files that were read
  std::string resource_type;
  std::string resource_id;
  v1::Tags tags;
};

// The act digest: SHA-256 over "holdpoint act v1" and the fields above in order. Every text is preceded by its length
// and every list by its count (8 bytes, little endian), so no two identities have the same encoding; of a tag only the
// environment and whether it is protected count, not its source. Approvals, retries, repeated intent and signed
// decisions compare these 32 bytes. Changing the encoding changes the first word. Pure.
Sha256Digest ActDigest(const ActIdentity& identity);

// One thing that an act would lose, expose or use against a rule that stops it.
struct ActLoss {
  std::string rule;
  v1::Effect effect = v1::EFFECT_UNSPECIFIED;
  v1::Recoverability recoverability = v1::RECOVERABILITY_UNSPECIFIED;
  std::string resource_type;
  std::string resource_id;         // as it is, neither redacted nor cut
  std::vector<std::string> where;  // what else says which resource it is: resolved path, hosts, options
  v1::Tags tags;
};

// The resource alone, whatever is done to it, and all losses of an act in any order. HMAC-SHA-256 with the host's key
// over the fields, encoded as above, so nobody without the key can guess an id from it. Pure.
Sha256Digest TargetDigest(absl::string_view key, absl::string_view environment, absl::string_view resource_type,
                          absl::string_view resource_id);
Sha256Digest LossDigest(absl::string_view key, const std::vector<ActLoss>& losses);

// argv with every secret (agent/environment/secrets.h) replaced by its fingerprint; nothing is cut. `key` empty:
// argv as it is.
std::vector<std::string> SealSecrets(absl::string_view key, const std::vector<std::string>& argv);

}  // namespace holdpoint
