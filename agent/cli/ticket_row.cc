#include "agent/cli/ticket_row.h"

#include "agent/cli/terminal.h"

namespace holdpoint {
namespace {

std::vector<std::string> TextsOf(const Json& row, const char* key) {
  std::vector<std::string> texts;
  const auto found = row.find(key);
  if (found == row.end() || !found->is_array()) return texts;
  for (const Json& item : *found) {
    if (item.is_string()) texts.push_back(Safe(item.get<std::string>()));
  }
  return texts;
}

}  // namespace

TicketRow TicketRowOf(const Json& json) {
  TicketRow row;
  const auto text = [&json](const char* key) { return Safe(TextOf(json, key)); };
  row.ticket = text("ticket");
  row.state = text("state");
  row.environment = text("environment");
  row.summary = text("summary");
  row.reason = text("reason");
  row.rule = text("rule");
  row.session = text("session");
  row.coding_agent = text("coding_agent");
  row.user = text("user");
  row.command = text("command");
  row.working_directory = text("working_directory");
  row.effect = text("effect");
  row.recoverability = text("recoverability");
  row.resource = text("resource");
  row.backups = text("backups");
  row.decided_by = text("decided_by");
  row.decision_reason = text("decision_reason");
  row.scope = text("scope");
  row.owners = Safe(ListOf(json, "owners"));
  row.rollback = Safe(ListOf(json, "rollback"));
  row.started_by = TextsOf(json, "started_by");
  row.blind_spots = TextsOf(json, "blind_spots");
  row.deciders = TextsOf(json, "deciders");
  row.approved_by = TextsOf(json, "approved_by");
  row.protected_environment = FlagOf(json, "protected");
  row.may_decide = FlagOf(json, "may_decide");
  row.two_persons = FlagOf(json, "two_persons");
  row.deadline = NumberOf(json, "deadline_unix");
  row.expires = NumberOf(json, "expires_unix");
  row.opened = NumberOf(json, "opened_unix");
  const Json tags = json.value("tags", Json::object());
  for (const auto& [what, tag] : tags.items()) {
    if (!tag.is_object()) continue;
    row.tags.push_back({.what = Safe(what),
                        .environment = Safe(TextOf(tag, "environment")),
                        .source = Safe(TextOf(tag, "source")),
                        .protected_environment = FlagOf(tag, "protected")});
  }
  return row;
}

}  // namespace holdpoint
