#include "agent/parse/sql_function.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace holdpoint {
namespace {

struct Known {
  absl::string_view name;
  SqlEffect effect;
  absl::string_view kind;
};

constexpr Known kKnown[] = {
    {"lo_unlink", SqlEffect::kDestroy, "large object"},
    {"pg_file_unlink", SqlEffect::kDestroy, "file"},
    {"pg_file_write", SqlEffect::kDestroy, "file"},
    {"lo_export", SqlEffect::kDestroy, "file"},
    {"pg_drop_replication_slot", SqlEffect::kDestroy, "replication slot"},
    {"pg_replication_origin_drop", SqlEffect::kDestroy, "replication origin"},
    {"pg_terminate_backend", SqlEffect::kWrite, "connection"},
    {"pg_cancel_backend", SqlEffect::kWrite, "connection"},
    {"pg_promote", SqlEffect::kWrite, "server"},
    {"pg_reload_conf", SqlEffect::kWrite, "server"},
    {"pg_switch_wal", SqlEffect::kWrite, "server"},
    {"pg_stat_reset", SqlEffect::kWrite, "statistics"},
    {"pg_stat_statements_reset", SqlEffect::kWrite, "statistics"},
    {"setval", SqlEffect::kWrite, "sequence"},
    {"drop_chunks", SqlEffect::kDestroy, "chunks"},
    {"add_retention_policy", SqlEffect::kDestroy, "retention"},
    {"add_drop_chunks_policy", SqlEffect::kDestroy, "retention"},
    {"dropgeometrycolumn", SqlEffect::kDestroy, "column"},
    {"dropgeometrytable", SqlEffect::kDestroy, "table"},
    {"droptopology", SqlEffect::kDestroy, "schema"},
    {"citus_drop_all_shards", SqlEffect::kDestroy, "table"},
    {"master_drop_all_shards", SqlEffect::kDestroy, "table"},
    {"master_apply_delete_command", SqlEffect::kDestroy, "rows"},
    {"citus_remove_node", SqlEffect::kWrite, "node"},
    {"remove_retention_policy", SqlEffect::kWrite, "retention"},
    {"remove_compression_policy", SqlEffect::kWrite, "policy"},
    {"remove_continuous_aggregate_policy", SqlEffect::kWrite, "policy"},
    {"pg_read_binary_file", SqlEffect::kRead, ""},
    {"truncate_tables", SqlEffect::kDestroy, "table"},
    {"sp_delete_database_backuphistory", SqlEffect::kDestroy, "backup history"},
    {"sp_delete_backuphistory", SqlEffect::kDestroy, "backup history"},
    {"sp_dropserver", SqlEffect::kDestroy, "server"},
    {"sp_dropuser", SqlEffect::kDestroy, "user"},
    {"sp_droprole", SqlEffect::kDestroy, "role"},
    {"sp_droplogin", SqlEffect::kDestroy, "user"},
    {"sp_detach_db", SqlEffect::kDestroy, "database"},
    {"xp_delete_file", SqlEffect::kDestroy, "file"},
    {"rds_drop_database", SqlEffect::kDestroy, "database"},
};

// Numbers, texts and dates: their names only sound like a loss.
constexpr absl::string_view kHarmless[] = {"truncate", "trunc", "date_trunc", "array_remove", "json_remove", "remove",
                                           "json_array_remove", "map_remove", "st_removepoint", "st_removerepeatedpoints",
                                           "delete_attribute", "remove_nulls"};

constexpr absl::string_view kRunsText[] = {"dblink_exec", "dblink", "dblink_send_query", "query_to_xml", "query_to_xmlschema",
                                           "cursor_to_xml", "run_command_on_workers", "run_command_on_shards",
                                           "run_command_on_placements", "run_command_on_all_nodes", "schedule",
                                           "schedule_in_database", "sp_executesql", "opendatasource", "openquery",
                                           "openrowset", "xpath_table", "crosstab", "connectby"};

constexpr absl::string_view kRunsProgram[] = {"xp_cmdshell", "sys_exec", "sys_eval", "pg_execute_server_program"};

constexpr absl::string_view kLossWords[] = {"delete", "drop", "purge", "truncate", "destroy", "wipe", "erase", "remove_all",
                                            "reset_all", "cleanup_all"};

}  // namespace

SqlFunction SqlFunctionOf(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  const absl::string_view last = absl::string_view(lower).substr(lower.rfind('.') + 1);
  SqlFunction function;
  for (const Known& known : kKnown) {
    if (last == known.name) return {known.effect, std::string(known.kind)};
  }
  for (const absl::string_view harmless : kHarmless) {
    if (last == harmless) return function;
  }
  for (const absl::string_view runs : kRunsText) {
    if (last == runs && (last != "schedule" || absl::StartsWith(lower, "cron."))) function.runs_text = true;
  }
  for (const absl::string_view runs : kRunsProgram) {
    if (last == runs) return {SqlEffect::kEscalate, "program", false, true};
  }
  for (const absl::string_view word : kLossWords) {
    if (absl::StartsWith(last, word) && (last.size() == word.size() || last[word.size()] == '_')) {
      return {SqlEffect::kUnseen, "function"};
    }
  }
  return function;
}

}  // namespace holdpoint
