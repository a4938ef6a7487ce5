#include "agent/environment/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace holdpoint {
namespace {

struct Case {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(GlobTest, TextTable) {
  for (const Case& c :
       {Case{"db*", "db1.example", true}, Case{"*.example.com", "a.b.example.com", true},
        Case{"*.example.com", "example.com", false}, Case{"db?", "db", false}, Case{"db?", "db1", true},
        Case{"a[0-9]b", "a7b", true}, Case{"a[!0-9]b", "a7b", false}, Case{"[]]x", "]x", true}, Case{"*", "", true},
        Case{"", "", true}, Case{"", "a", false}, Case{"a*b*c", "axxbyyc", true}, Case{"a*b*c", "axxbyy", false},
        Case{"*prod*", "my-prod-db", true}, Case{"release/*", "release/1/2", true}}) {
    EXPECT_EQ(GlobMatches(c.pattern, c.text), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(GlobTest, PathTable) {
  for (const Case& c :
       {Case{"/srv/*", "/srv/a", true}, Case{"/srv/*", "/srv/a/b", false}, Case{"/srv/**", "/srv/a/b", true},
        Case{"/srv/**/x", "/srv/x", true}, Case{"/srv/**/x", "/srv/a/b/x", true}, Case{"/srv/**/x", "/srv/a/bx", false},
        Case{"**/x/*.js", "/a/x/b.js", true}, Case{"**/x/*.js", "/a/x/b/c.js", false},
        Case{"~/.aws/*", "/home/u/.aws/credentials", true}, Case{"~/.aws/*", "/home/v/.aws/credentials", false},
        Case{"~", "/home/u", true}, Case{".env.*", "/home/u/p/.env.production", true},
        Case{".env.*", "/home/u/.env.d/x", false}, Case{"/srv/a?b", "/srv/a/b", false}, Case{"/srv/", "/srv", true},
        Case{"~/a", "/home/uu/a", false}}) {
    EXPECT_EQ(PathGlobMatches(c.pattern, c.text, "/home/u"), c.matches) << c.pattern << " on " << c.text;
  }
}

TEST(GlobTest, HomeOfAnybodyWhereNoneIsGiven) {
  EXPECT_TRUE(PathGlobMatches("~/.aws/*", "/home/v/.aws/credentials", ""));
  EXPECT_TRUE(PathGlobMatches("~/.aws/*", "/root/.aws/credentials", ""));
  EXPECT_FALSE(PathGlobMatches("~/.aws/*", "/srv/v/.aws/credentials", ""));
}

TEST(GlobTest, FolderGlobTakesWhatLiesBelow) {
  EXPECT_TRUE(FolderGlobMatches("~/src/shop-*", "/home/u/src/shop-web/api", "/home/u"));
  EXPECT_FALSE(FolderGlobMatches("~/src/shop-*", "/home/u/src", "/home/u"));
}

TEST(GlobTest, ManyStarsAgainstALongTextEnd) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  pattern += "b";
  EXPECT_FALSE(GlobMatches(pattern, std::string(20'000, 'a')));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "**/a*/";
  EXPECT_FALSE(PathGlobMatches("/" + deep + "b", "/" + std::string(4'000, 'a'), ""));
}

TEST(GlobTest, OpenSetIsNoGlob) {
  EXPECT_FALSE(CheckGlob("a[b").ok());
  EXPECT_FALSE(CheckGlob("").ok());
  EXPECT_TRUE(CheckGlob("a[!]]b").ok());
}

}  // namespace
}  // namespace holdpoint
