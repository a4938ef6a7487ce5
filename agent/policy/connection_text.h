#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace holdpoint {

// What a client's connection text says: postgres://user:secret@host:5432/name?host=/run/x, also jdbc: in front, with
// any scheme; and libpq's words (host=db1 port=5432 dbname='shop').
struct ConnectionText {
  struct Host {
    std::string name;   // a name, an address, or the absolute path of a socket or of its folder
    uint32_t port = 0;  // 0: not said
  };
  std::string scheme;        // in lower case; empty for words
  std::vector<Host> hosts;   // any of them; an address without brackets
  uint32_t port = 0;         // the last that was said, 0 for none
  std::string database;      // empty: not named
  std::string secret;        // a password
  std::string problem;       // why the rest of it is not all there is to know; empty where it is
};

// Whether it is one, and no name of a database.
bool IsConnectionText(absl::string_view word);

// Pure; at most 16 KiB are read, past them there is a problem. What is no connection text has no hosts.
ConnectionText ReadConnectionText(absl::string_view text);

// "host[:port][,host[:port]...]" alone, or the path of a socket or its folder.
ConnectionText ReadHosts(absl::string_view text);

}  // namespace holdpoint
