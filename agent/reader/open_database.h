#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <optional>
#include <string>

namespace holdpoint::reader {

// A connection to a database server that a process has open.
struct OpenDatabase {
  pid_t pid = 0;
  std::string peer;  // "127.0.0.1:5432", "/run/postgresql/.s.PGSQL.5432"; bounded, escaped
};

// Whether `peer` is where servers of databases with transactions listen (PostgreSQL and what speaks like it, PgBouncer,
// MySQL, MariaDB, SQL Server, Oracle), by its port or the name of its socket: how people read it, empty where it is not.
std::string DatabasePeer(const sockaddr_storage& peer, socklen_t length);

// The first process, from `parent` up to `root`, that has such a connection: each of them waits while what it started is
// held, and with it a transaction that it may have open, and the locks of that. Whether it has one only the server knows.
// Looks at 16 processes and 1,024 descriptors of each, by copies of them, as root. To give up a copy may take as long as
// its owner likes (a lingering socket, a file of FUSE in its place): for a process that nobody waits for.
std::optional<OpenDatabase> DatabaseAbove(pid_t parent, pid_t root);

}  // namespace holdpoint::reader
