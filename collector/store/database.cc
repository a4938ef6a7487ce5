#include "collector/store/database.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status.h"

namespace holdpoint {
namespace {

absl::Status SqliteStatus(int code, absl::string_view what) {
  const std::string text = absl::StrCat(what, ": ", sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(text);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return absl::DataLossError(text);
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return absl::PermissionDeniedError(text);
    default:
      return absl::InternalError(text);
  }
}

}  // namespace

void Statement::Note(int code) {
  if (code != SQLITE_OK) bind_error_ = code;
}

Statement& Statement::Bind(int index, int64_t value) {
  Note(sqlite3_bind_int64(statement_.get(), index + 1, value));
  return *this;
}

Statement& Statement::Bind(int index, absl::string_view text) {
  Note(sqlite3_bind_text64(statement_.get(), index + 1, text.data() == nullptr ? "" : text.data(), text.size(),
                           SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindBlob(int index, absl::string_view bytes) {
  Note(sqlite3_bind_blob64(statement_.get(), index + 1, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                           SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::BindNull(int index) {
  Note(sqlite3_bind_null(statement_.get(), index + 1));
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (const int error = std::exchange(bind_error_, SQLITE_OK); error != SQLITE_OK) {
    return SqliteStatus(error, sqlite3_sql(statement_.get()));
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  sqlite3* db = sqlite3_db_handle(statement_.get());
  return SqliteStatus(code, absl::StrCat(sqlite3_db_filename(db, "main"), ": ", sqlite3_errmsg(db)));
}

absl::Status Statement::Run() {
  const absl::Status status = Step().status();
  Reset();
  return status;
}

void Statement::Reset() { sqlite3_reset(statement_.get()); }

std::string Statement::Text(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

absl::StatusOr<Database> Database::Open(const std::string& path, Mode mode) {
  if (mode == Mode::kReadOnly && access(path.c_str(), F_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat(path, ": no such database; `holdpoint-collector ingest` or `consume` makes one"));
  }
  sqlite3* raw = nullptr;
  const int flags = mode == Mode::kWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(raw, path);
  if (code != SQLITE_OK) return SqliteStatus(code, path);
  sqlite3_busy_timeout(raw, 5000);
  if (mode == Mode::kWrite) {
    // NORMAL with WAL: a power cut may take the newest transactions, whole ones; their offsets go with them.
    HP_RETURN_IF_ERROR(database.Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"));
  } else {
    HP_RETURN_IF_ERROR(
        database.Execute("PRAGMA schema_version;"));  // Reads the header: says at once what is no database.
  }
  return database;
}

absl::StatusOr<Statement> Database::Prepare(absl::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code =
      sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return SqliteStatus(code, absl::StrCat(path_, ": ", sqlite3_errmsg(db_.get()), " in ", sql));
  return Statement(raw);
}

absl::Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return SqliteStatus(code, absl::StrCat(path_, ": ", sqlite3_errmsg(db_.get())));
  return absl::OkStatus();
}

}  // namespace holdpoint
