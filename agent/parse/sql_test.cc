#include "agent/parse/sql.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/parse/sql_internal.h"

namespace holdpoint {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using D = SqlDialect;

std::string Shown(const SqlStatement& s) {
  std::string text = absl::StrCat(SqlEffectName(s.effect), s.verb.empty() ? "" : " ", s.verb);
  if (!s.kind.empty()) absl::StrAppend(&text, " ", s.kind);
  if (!s.name.empty()) absl::StrAppend(&text, " ", s.name);
  if (s.has_where) text += " where";
  if (s.undone) text += " undone";
  return text;
}

// What counts: reads and settings are left out.
std::vector<std::string> Effects(absl::string_view text, SqlDialect dialect = D::kPostgres, bool client = true) {
  std::vector<std::string> shown;
  for (const SqlStatement& statement : ParseSql(text, {.dialect = dialect, .client = client}).statements) {
    if (statement.effect >= SqlEffect::kWrite) shown.push_back(Shown(statement));
  }
  return shown;
}

TEST(SqlTest, PostgresStatementsAreParsedByItsOwnParser) {
  const SqlScript script = ParseSql("DROP TABLE a.b, c", {.dialect = D::kPostgres});
  EXPECT_EQ(script.parsed, 1u);
  EXPECT_EQ(script.tolerant, 0u);
  EXPECT_THAT(Effects("DROP TABLE a.b, \"C\""), ElementsAre("destroy drop table a.b", "destroy drop table C"));
}

TEST(SqlTest, DropsOfEveryKind) {
  EXPECT_THAT(Effects("drop database if exists shop"), ElementsAre("destroy drop database shop"));
  EXPECT_THAT(Effects("drop schema sales cascade"), ElementsAre("destroy drop schema sales"));
  EXPECT_THAT(Effects("drop materialized view m"), ElementsAre("destroy drop materialized view m"));
  EXPECT_THAT(Effects("drop role a; drop owned by b"), ElementsAre("destroy drop role a", "destroy drop owned b"));
  EXPECT_THAT(Effects("drop tablespace t; drop subscription s"),
              ElementsAre("destroy drop tablespace t", "destroy drop subscription s"));
  EXPECT_THAT(Effects("DROP KEYSPACE shop", D::kCassandra), ElementsAre("destroy drop keyspace shop"));
}

TEST(SqlTest, DeleteAndUpdateWithoutACondition) {
  EXPECT_THAT(Effects("delete from orders"), ElementsAre("destroy delete rows orders"));
  EXPECT_THAT(Effects("delete from orders where id = 7"), ElementsAre("destroy delete rows orders where"));
  EXPECT_THAT(Effects("update orders set a = 1"), ElementsAre("destroy update rows orders"));
  EXPECT_THAT(Effects("update orders set a = 1 where id = 7"), ElementsAre("write update rows orders where"));
}

TEST(SqlTest, ConditionsThatHoldForEveryRow) {
  for (const char* condition :
       {"true", "1=1", "'a' = 'a'", "id = id", "not false", "id is not null", "id > 0", "id >= 1", "x = 7 or 1=1",
        "name like '%'", "(true)", "((1 = 1))", "true and 1 < 2", "orders.id = orders.id", "1 <> 2"}) {
    for (const D dialect : {D::kPostgres, D::kMysql, D::kGeneric}) {
      EXPECT_THAT(Effects(absl::StrCat("delete from orders where ", condition), dialect),
                  ElementsAre("destroy delete rows orders"))
          << condition;
    }
  }
  for (const char* condition :
       {"id = 7", "false", "1=2", "x = 7 and true", "state = 'x' or state = 'y'", "total > 0", "note is not null",
        "name like 'a%'", "id in (select 1)", "a between 1 and 2", "id > 100", "not (id = 7)"}) {
    for (const D dialect : {D::kPostgres, D::kMysql, D::kGeneric}) {
      EXPECT_THAT(Effects(absl::StrCat("delete from orders where ", condition), dialect),
                  ElementsAre("destroy delete rows orders where"))
          << condition;
    }
  }
}

TEST(SqlTest, WritingQueriesOfAWithList) {
  EXPECT_THAT(Effects("with d as (delete from orders returning *) select * from d"),
              ElementsAre("destroy delete rows orders"));
  EXPECT_THAT(Effects("with x as (select 1) delete from orders"), ElementsAre("destroy delete rows orders"));
  EXPECT_THAT(Effects("with d as (delete from orders returning *) select * from d", D::kGeneric),
              ElementsAre("destroy delete rows orders"));
}

TEST(SqlTest, AlterTakesAwayColumnsAndPartitions) {
  EXPECT_THAT(Effects("alter table t drop column c, add column d int"), ElementsAre("destroy alter drop column t.c"));
  EXPECT_THAT(Effects("alter table t detach partition p"), ElementsAre("destroy alter detach partition t.p"));
  EXPECT_THAT(Effects("alter table t drop constraint c"), ElementsAre("write alter table t"));
  EXPECT_THAT(Effects("alter table t alter column c drop not null"), ElementsAre("write alter table t"));
  EXPECT_THAT(Effects("alter table t drop c", D::kMysql), ElementsAre("destroy alter drop column t.c"));
  EXPECT_THAT(Effects("ALTER TABLE t DROP PARTITION p1", D::kMysql), ElementsAre("destroy alter drop partition t.p1"));
  EXPECT_THAT(Effects("ALTER TABLE hits DELETE WHERE 1", D::kClickhouse), ElementsAre("destroy delete rows hits"));
  EXPECT_THAT(Effects("ALTER TABLE hits MODIFY TTL day + INTERVAL 1 DAY", D::kClickhouse),
              ElementsAre("destroy alter retention retention hits"));
  EXPECT_THAT(Effects("alter table t set data_retention_time_in_days = 0", D::kGeneric),
              ElementsAre("destroy alter retention retention t"));
  EXPECT_THAT(Effects("alter table t add index (a)", D::kMysql), ElementsAre("write alter table t"));
}

TEST(SqlTest, ExplainRunsOnlyWithAnalyze) {
  EXPECT_THAT(Effects("explain delete from t"), IsEmpty());
  EXPECT_THAT(Effects("explain analyze delete from t"), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("explain (analyze, buffers) delete from t"), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("explain (analyze false) delete from t"), IsEmpty());
  EXPECT_THAT(Effects("explain analyze delete from t", D::kMysql), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("explain format=json delete from t", D::kMysql), IsEmpty());
}

TEST(SqlTest, FunctionsThatDestroy) {
  EXPECT_THAT(Effects("select lo_unlink(16401)"), ElementsAre("destroy lo_unlink large object"));
  EXPECT_THAT(Effects("select pg_terminate_backend(pid) from pg_stat_activity"),
              ElementsAre("write pg_terminate_backend connection"));
  EXPECT_THAT(Effects("select dblink_exec('host=db1', 'drop table orders')"), ElementsAre("destroy drop table orders"));
  EXPECT_THAT(Effects("select cron.schedule('tidy', '0 0 * * *', 'delete from orders')"),
              ElementsAre("destroy delete rows orders"));
  EXPECT_THAT(Effects("select purge_orders()"), ElementsAre("unseen purge_orders function"));
  EXPECT_THAT(Effects("select date_trunc('day', now()), count(*) from deletes"), IsEmpty());
  EXPECT_THAT(Effects("select 'lo_unlink(1)'"), IsEmpty());
}

TEST(SqlTest, BodiesThatRunNow) {
  EXPECT_THAT(Effects("do $$ begin delete from orders; drop table lines; end $$"),
              ElementsAre("destroy delete rows orders", "destroy drop table lines"));
  EXPECT_THAT(Effects("do $x$ declare r record; begin for r in select 1 loop execute 'drop table ' || r.t; end loop; end $x$"),
              ElementsAre("destroy drop table", "unseen execute"));
  EXPECT_THAT(Effects("do $$ begin if true then truncate orders; else perform 1; end if; end $$"),
              ElementsAre("destroy truncate table orders"));
  EXPECT_THAT(Effects("do $$ begin update t set a = case when b then 1 else 2 end where id = 3; end $$"),
              ElementsAre("write update rows t where"));
  EXPECT_THAT(Effects("do language plpython3u $$ x $$"), ElementsAre("unseen do"));
  EXPECT_THAT(Effects("create function f() returns void language sql as $$ delete from orders $$"), ElementsAre("write create"));
}

TEST(SqlTest, WhatATransactionTakesBackIsUndone) {
  EXPECT_THAT(Effects("begin; delete from t; rollback"), ElementsAre("write delete rows t undone"));
  EXPECT_THAT(Effects("begin; drop table t; abort;"), ElementsAre("write drop table t undone"));
  EXPECT_THAT(Effects("begin; delete from t; commit"), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("delete from t; rollback"), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("begin; savepoint s; delete from t; rollback to s; commit"), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("begin; delete from t; commit; rollback"), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("begin; select dblink_exec('host=x', 'delete from t'); rollback"), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("begin; delete from t;\n\\c other\nrollback"), ElementsAre("destroy delete rows t"));
  EXPECT_THAT(Effects("begin; delete from t; rollback; delete from t"),
              ElementsAre("write delete rows t undone", "destroy delete rows t"));
}

TEST(SqlTest, QuotesAndCommentsHideNothingAndShowNothing) {
  EXPECT_THAT(Effects("select 'drop table orders; delete from x'"), IsEmpty());
  EXPECT_THAT(Effects("-- drop table orders\nselect 1"), IsEmpty());
  EXPECT_THAT(Effects("/* a /* b */ drop table x */ select 1"), IsEmpty());
  EXPECT_THAT(Effects("/**/drop/**/table/**/orders"), ElementsAre("destroy drop table orders"));
  EXPECT_THAT(Effects("select E'\\'; drop table a; --'"), IsEmpty());
  EXPECT_THAT(Effects("select '\\'; drop table a; --'"), ElementsAre("destroy drop table a"));
  EXPECT_THAT(Effects("select '\\'; drop table a; -- '", D::kMysql), IsEmpty());
  EXPECT_THAT(Effects("select '\\'; drop table a; --'", D::kGeneric), ElementsAre("destroy drop table a"));
  EXPECT_THAT(Effects("/*!50000 drop table a */", D::kMysql), ElementsAre("destroy drop table a"));
  EXPECT_THAT(Effects("select 1 # ; drop table a", D::kMysql), IsEmpty());
  EXPECT_THAT(Effects("insert into log values ('truncate')"), ElementsAre("write insert rows log"));
  EXPECT_THAT(Effects("select $$ ; drop table a; $$"), IsEmpty());
  EXPECT_THAT(Effects("select 1; 'open"), testing::Contains(testing::StartsWith("unseen")));
}

TEST(SqlTest, CommandsOfTheClient) {
  const SqlScript psql = ParseSql("\\i schema.sql\n\\! rm -rf /srv\nselect 1 \\g |tee x\n\\c prod\n", {.dialect = D::kPostgres});
  std::vector<std::string> leads;
  for (const SqlLead& lead : psql.leads) leads.push_back(lead.text);
  EXPECT_THAT(leads, ElementsAre("schema.sql", "rm -rf /srv", "tee x", "prod"));
  EXPECT_THAT(Effects("select 'drop table ' || x from y \\gexec"), ElementsAre("unseen"));
  EXPECT_THAT(Effects("copy t from stdin;\n1\tdrop table x;\n\\.\ndelete from t;"),
              ElementsAre("write copy rows t", "destroy delete rows t"));
  EXPECT_THAT(Effects(".read x.sql\ndrop table t;", D::kSqlite), ElementsAre("destroy drop table t"));
  EXPECT_THAT(Effects("delimiter //\ncreate procedure p() begin delete from t; end//\ndelimiter ;\ndrop table u;", D::kMysql),
              ElementsAre("write create procedure p", "destroy drop table u"));
  EXPECT_THAT(Effects("create trigger x after insert on t begin delete from u; end; drop table v;", D::kSqlite),
              ElementsAre("write create trigger x", "destroy drop table v"));
  EXPECT_THAT(Effects("if object_id('t') is not null drop table t\ngo\ndelete from u where id = 1\ngo", D::kTsql),
              ElementsAre("destroy drop table t", "destroy delete rows u where"));
  EXPECT_THAT(Effects("select 1 delete from u truncate table v", D::kTsql),
              ElementsAre("destroy delete rows u", "destroy truncate table v"));
  EXPECT_THAT(Effects("exec sp_executesql N'drop table t'", D::kTsql), ElementsAre("destroy drop table t"));
}

TEST(SqlTest, OtherDialects) {
  EXPECT_THAT(Effects("drop table `shop`.`orders`", D::kMysql), ElementsAre("destroy drop table shop.orders"));
  EXPECT_THAT(Effects("drop temporary table t", D::kMysql), ElementsAre("write drop table t"));
  EXPECT_THAT(Effects("purge binary logs before '2026-01-01'", D::kMysql), ElementsAre("destroy purge binary logs"));
  EXPECT_THAT(Effects("reset master", D::kMysql), ElementsAre("destroy reset binary logs"));
  EXPECT_THAT(Effects("delete t1 from t1 join t2 on t1.a = t2.a where t2.b = 1", D::kMysql),
              ElementsAre("destroy delete rows t1 where"));
  EXPECT_THAT(Effects("prepare s from 'drop table t'", D::kMysql), ElementsAre("destroy drop table t"));
  EXPECT_THAT(Effects("create or replace table t as select 1", D::kGeneric),
              ElementsAre("destroy create or replace table t"));
  EXPECT_THAT(Effects("insert overwrite table t select 1", D::kGeneric), ElementsAre("destroy insert overwrite table t"));
  EXPECT_THAT(Effects("vacuum t retain 0 hours", D::kGeneric), ElementsAre("destroy vacuum retain retention t"));
  EXPECT_THAT(Effects("detach table t permanently", D::kClickhouse), ElementsAre("destroy detach table t"));
  EXPECT_THAT(Effects("detach database x", D::kSqlite), IsEmpty());
  EXPECT_THAT(Effects("restore database shop from disk = 'x' with replace", D::kTsql),
              ElementsAre("destroy restore database shop"));
  EXPECT_THAT(Effects("frobnicate all"), ElementsAre("unseen frobnicate"));
  EXPECT_THAT(Effects("drop"), ElementsAre("destroy drop"));
}

// The two readings are about the same language: where PostgreSQL's parser takes a statement, its words say the same.
TEST(SqlTest, TolerantReadingAgreesWithThePostgresParser) {
  for (const char* text :
       {"drop table a, b.c", "drop database x", "drop schema s cascade", "truncate a, b", "delete from t where id = 3",
        "delete from t", "delete from only t u using v where u.id = v.id", "update t set a = 1 from u where t.i = u.i",
        "update t set a = (select max(b) from u)", "alter table t drop column a, drop column b", "alter table only x.t drop c",
        "drop index i", "drop materialized view m", "drop type a", "drop extension e", "drop function f(int)",
        "merge into t using s on t.i = s.i when matched then delete", "explain delete from t", "select lo_unlink(3)",
        "with a as (delete from x where false returning *), b as (update y set z = 1 returning *) select 1",
        "alter table t detach partition p", "do $$ begin truncate x; end $$", "insert into t select * from u",
        "delete from t where a = 1 or true", "delete from t where a in (1, 2) and not false"}) {
    SqlFindings exact(D::kPostgres), tolerant(D::kPostgres);
    ASSERT_TRUE(ReadWithPostgres(text, &exact)) << text;
    SqlLexer lexer(text, {.dialect = D::kPostgres}, false);
    SqlPiece piece;
    while (lexer.Next(&piece)) ReadStatement(piece.tokens, piece.cut, &tolerant);
    std::vector<std::string> a, b;
    for (const SqlStatement& s : exact.statements()) if (s.effect >= SqlEffect::kDestroy) a.push_back(Shown(s));
    for (const SqlStatement& s : tolerant.statements()) if (s.effect >= SqlEffect::kDestroy) b.push_back(Shown(s));
    EXPECT_THAT(a, testing::UnorderedElementsAreArray(b)) << text;
  }
}

TEST(SqlTest, WhatIsTooMuchIsUnseen) {
  const auto has_unseen = [](const SqlScript& script) {
    return std::any_of(script.statements.begin(), script.statements.end(),
                       [](const SqlStatement& s) { return s.effect == SqlEffect::kUnseen; });
  };
  for (const D dialect : {D::kPostgres, D::kMysql, D::kGeneric, D::kTsql}) {
    std::string many;
    while (many.size() < 10'000'000) absl::StrAppend(&many, "insert into t values (1, 'x');\n");
    EXPECT_TRUE(has_unseen(ParseSql(many, {.dialect = dialect})));
    EXPECT_TRUE(has_unseen(ParseSql(std::string(10'000'000, '('), {.dialect = dialect})));
    EXPECT_TRUE(has_unseen(ParseSql("select " + std::string(10'000'000, 'x'), {.dialect = dialect})));
    EXPECT_TRUE(has_unseen(ParseSql("select '" + std::string(10'000'000, 'x'), {.dialect = dialect})));
    std::string wide = "delete from t where a in (1";
    while (wide.size() < 10'000'000) wide += ",1";
    EXPECT_TRUE(has_unseen(ParseSql(wide + ")", {.dialect = dialect})));
    std::string deep = "with a as ";
    while (deep.size() < 500'000) deep += "(delete from x(";
    EXPECT_TRUE(has_unseen(ParseSql(deep, {.dialect = dialect})));
  }
  std::string drops;
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&drops, "drop table t", i, ";");
  const SqlScript script = ParseSql(drops, {.dialect = D::kPostgres});
  EXPECT_TRUE(has_unseen(script));
  EXPECT_LE(script.statements.size(), 260u);
}

}  // namespace
}  // namespace holdpoint
