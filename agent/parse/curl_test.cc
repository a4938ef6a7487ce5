#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/parse/http_describe.h"
#include "agent/parse/http_request.h"

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Words = std::vector<std::string>;

HttpCommand Curl(Words words, const AttachedFiles& files = {}) {
  words.insert(words.begin(), "curl");
  return ParseCurl(words, files);
}

const AttachedFiles& Files() {
  static const AttachedFiles files = {
      {"f", {std::string("a\r\nb&\0c\n", 8), false, ""}},
      {"-", {"piped", false, ""}},
      {"g", {"body", false, ""}},
      {"h", {"X-Api-Key: k\r\nX-B: c\n", false, ""}},
      {"rc", {"# all\nurl = \"https://h/rc\"\n-X PUT\ndata: x\\ty\n--json \"{\\\"a\\\":1}\"\n", false, ""}},
      {"loop", {"config loop\nurl=h/x", false, ""}},
      {"net", {"machine other login a password b\nmachine h login me password pw", false, ""}},
      {"gone", {"", false, "no such file"}}};
  return files;
}

struct Case {
  const char* name;
  Words words;
  const char* want;
};

class CurlTest : public ::testing::TestWithParam<Case> {};

TEST_P(CurlTest, SendsWhatCurlSends) { EXPECT_EQ(DescribeHttp(Curl(GetParam().words, Files())), GetParam().want); }

// Each line was compared with what curl 7.88 sends to a server that prints it.
INSTANTIATE_TEST_SUITE_P(
    Method, CurlTest,
    ::testing::Values(
        Case{"Plain", {"h/x"}, "GET http://h:80/x"},
        Case{"RequestApart", {"-X", "DELETE", "h/x"}, "DELETE http://h:80/x"},
        Case{"RequestAttached", {"-XDELETE", "h/x"}, "DELETE http://h:80/x"},
        Case{"RequestBundled", {"-sSXPUT", "h/x"}, "PUT http://h:80/x"},
        Case{"RequestLongAndLate", {"h/x", "--request", "DELETE"}, "DELETE http://h:80/x"},
        Case{"CaseOfLongOptionsIsIgnored", {"--REQUEST", "DELETE", "h/x"}, "DELETE http://h:80/x"},
        Case{"Abbreviated", {"--heade", "X: y", "--uplo", "g", "h/x"}, "PUT http://h:80/x {body}"},
        Case{"LastRequestCounts", {"-X", "GET", "-XPOST", "h/x"}, "POST http://h:80/x"},
        Case{"ImpliedByData", {"-d", "a=1", "h/x"}, "POST http://h:80/x [application/x-www-form-urlencoded] {a=1}"},
        Case{"DataWithGetSpelledOut",
             {"-XGET", "-d", "a", "h/x"},
             "GET http://h:80/x [application/x-www-form-urlencoded] {a}"},
        Case{"Head", {"-I", "h/x"}, "HEAD http://h:80/x"},
        Case{"Upload", {"-T", "-", "h/x"}, "PUT http://h:80/x {piped}"},
        Case{"GetTakesDataToTheQuery", {"-G", "-d", "a=1", "-d", "b=2", "h/x?c=3"}, "GET http://h:80/x?c=3&a=1&b=2"},
        Case{"GetTakenBack",
             {"-G", "--no-get", "-d", "x", "h/x"},
             "POST http://h:80/x [application/x-www-form-urlencoded] {x}"},
        Case{"Help", {"--help", "h/x"}, ""}, Case{"Version", {"-V", "h/x"}, ""},
        Case{"OutputIsNoUrl",
             {"-o", "out", "-w", "%{http_code}", "-m", "5", "--retry", "3", "h/x"},
             "GET http://h:80/x"}),
    [](const auto& test) { return test.param.name; });

#define FORM "[application/x-www-form-urlencoded]"
INSTANTIATE_TEST_SUITE_P(
    Data, CurlTest,
    ::testing::Values(
        Case{"Joined", {"-da=1", "--data", "b=2", "--data-raw", "@c", "h"}, "POST http://h:80/ " FORM " {a=1&b=2&@c}"},
        Case{"EmptyFirst", {"-d", "", "-d", "x", "h"}, "POST http://h:80/ " FORM " {&x}"},
        Case{"FileLosesLineEndsAndNuls", {"-d", "@f", "h"}, "POST http://h:80/ " FORM " {ab&c}"},
        Case{"StandardInput", {"-d", "@-", "h"}, "POST http://h:80/ " FORM " {piped}"},
        Case{"Json", {"--json", "{\"a\"", "--json", ":1}", "h"}, "POST http://h:80/ [application/json] {{\"a\":1}}"},
        Case{"DataThenJson", {"-d", "a", "--json", "{}", "h"}, "POST http://h:80/ [application/json] {a{}}"},
        Case{"JsonThenData", {"--json", "{}", "-d", "x", "h"}, "POST http://h:80/ [application/json] {{}&x}"},
        Case{"OwnContentType",
             {"-H", "content-type: text/x; charset=utf-8", "--json", "{}", "h"},
             "POST http://h:80/ [text/x] {{}}"},
        Case{"NoContentType", {"-H", "Content-Type:", "-d", "{}", "h"}, "POST http://h:80/ {{}}"},
        Case{"Urlencode", {"--data-urlencode", "a=b=c d", "h"}, "POST http://h:80/ " FORM " {a=b%3Dc+d}"},
        Case{"UrlencodeNoName", {"--data-urlencode", "=x&y", "h"}, "POST http://h:80/ " FORM " {x%26y}"},
        Case{"UrlencodeFile",
             {"--data-urlencode", "n@-", "--data-urlencode", "@-", "h"},
             "POST http://h:80/ " FORM " {n=piped&piped}"},
        Case{"UnseenFile", {"-d", "a=1", "-d", "@other", "h"}, "POST http://h:80/ " FORM " {a=1&}?"},
        Case{"Form",
             {"-F", "a=b,c;type=text/x", "-F", "c=@-;filename=zz", "-F", "d=<-", "--form-string", "e=@f;x", "h"},
             "POST http://h:80/ [multipart/form-data] a=b,c c=piped;zz d=piped e=@f;x"},
        Case{"UrlQuery",
             {"--url-query", "a=b c", "--url-query", "+x=%20", "h/q?z=1"},
             "GET http://h:80/q?z=1&a=b+c&x=%20"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Where, CurlTest,
    ::testing::Values(
        Case{"TwoUrlsShareOptions",
             {"h/1", "-d", "z", "h/2"},
             "POST http://h:80/1 " FORM " {z}\nPOST http://h:80/2 " FORM " {z}"},
        Case{"NextDividesThem",
             {"h/1", "-d", "z", "--next", "h/2"},
             "POST http://h:80/1 " FORM " {z}\nGET http://h:80/2"},
        Case{"ShortNext", {"h/1", "-:", "-XPUT", "h/2"}, "GET http://h:80/1\nPUT http://h:80/2"},
        Case{"UrlOption", {"--url", "https://h/x"}, "GET https://h:443/x"},
        Case{"Dashdash", {"-XPUT", "--", "h/x"}, "PUT http://h:80/x"},
        Case{"Globs",
             {"http://h/{a,b}[1-2]"},
             "GET http://h:80/a1\nGET http://h:80/a2\nGET http://h:80/b1\nGET http://h:80/b2"},
        Case{"PaddedRange", {"http://h/[08-10]"}, "GET http://h:80/08\nGET http://h:80/09\nGET http://h:80/10"},
        Case{"LetterRangeWithStep", {"http://h/[a-e:2]"}, "GET http://h:80/a\nGET http://h:80/c\nGET http://h:80/e"},
        Case{"EscapedBraces", {"http://h/\\{x\\}"}, "GET http://h:80/{x}"},
        Case{"Globoff", {"-g", "http://h/{a,b}"}, "GET http://h:80/{a,b}"},
        Case{"Ipv6IsNoGlob", {"http://[::1]:8/x"}, "GET http://::1:8/x"},
        Case{"RequestTarget", {"--request-target", "/zz?q=1", "h/y"}, "GET http://h:80/zz?q=1"},
        Case{"PathAsIsStillMatches", {"--path-as-is", "h/a/../graphql"}, "GET http://h:80/graphql"},
        Case{"UploadAddsItsName", {"-T", "g", "h/d/"}, "PUT http://h:80/d/g {body}"},
        Case{"Config", {"-K", "rc"}, "PUT https://h:443/rc [application/json] {x\\ty{\"a\":1}}"},
        Case{"ConfigOfItself",
             {"-K", "loop"},
             "GET http://h:80/x\nGET http://h:80/x\nGET http://h:80/x\nGET http://h:80/x"},
        Case{"ExpandedVariable",
             {"--variable", "v= \"x ", "--expand-json", "{\"a\":\"{{v:trim:json}}\"}", "h"},
             "POST http://h:80/ [application/json] {{\"a\":\"\\\"x\"}}"},
        Case{"MethodOverrideHeader",
             {"-d", "x", "-H", "X-HTTP-Method-Override: delete", "h/v"},
             "POST http://h:80/v as DELETE " FORM " {x}"},
        Case{"MethodOverrideForm",
             {"-d", "a=1&_method=delete", "h/v"},
             "POST http://h:80/v as DELETE " FORM " {a=1&_method=delete}"},
        Case{"MethodOverrideQuery", {"-XPOST", "h/v?_method=DELETE"}, "POST http://h:80/v?_method=DELETE as DELETE"},
        Case{"MethodOverrideJson",
             {"--json", "{\"_method\":\"delete\"}", "h/v"},
             "POST http://h:80/v as DELETE [application/json] {{\"_method\":\"delete\"}}"},
        Case{"NoOverride",
             {"-d", "method=delete&x=_method", "h/v"},
             "POST http://h:80/v " FORM " {method=delete&x=_method}"}),
    [](const auto& test) { return test.param.name; });

std::vector<std::string> Credentials(const HttpRequest& request) {
  static constexpr const char* kKinds[] = {"bearer", "basic", "authorization", "header",
                                           "cookie", "url",   "certificate"};
  std::vector<std::string> all;
  for (const HttpCredential& c : request.credentials) {
    all.push_back(std::string(kKinds[static_cast<int>(c.kind)]) + " " + c.name + "=" + c.value);
  }
  return all;
}

TEST(CurlCredentialTest, EveryWayToBringOneIsSeen) {
  const auto of = [](Words words) { return Credentials(Curl(words, Files()).requests.at(0)); };
  EXPECT_THAT(of({"-H", "Authorization: Bearer t0k", "h"}), ElementsAre("bearer authorization=t0k"));
  EXPECT_THAT(of({"--oauth2-bearer", "t0k", "h"}), ElementsAre("bearer authorization=t0k"));
  EXPECT_THAT(of({"-H", "authorization: basic bWU6cHc=", "h"}), ElementsAre("basic authorization=me:pw"));
  EXPECT_THAT(of({"-H", "Authorization: token t", "h"}), ElementsAre("authorization authorization=t"));
  EXPECT_THAT(of({"-H", "Authorization: t", "h"}), ElementsAre("authorization authorization=t"));
  EXPECT_THAT(of({"-H", "Project-Access-Token: t", "h"}), ElementsAre("header project-access-token=t"));
  EXPECT_THAT(of({"-H", "@h", "h"}), ElementsAre("header x-api-key=k"));
  EXPECT_THAT(of({"-u", "me:pw", "h"}), ElementsAre("basic =me:pw"));
  EXPECT_THAT(of({"https://me:p%40@h/"}), ElementsAre("basic =me:p@"));
  EXPECT_THAT(of({"--netrc-file", "net", "h"}), ElementsAre("basic =me:pw"));
  EXPECT_THAT(of({"-b", "sid=1", "-b", "x=2", "h"}), ElementsAre("cookie cookie=sid=1; x=2"));
  EXPECT_THAT(of({"h/x?access_token=t&page=2"}), ElementsAre("url access_token=t"));
  EXPECT_THAT(of({"-E", "client.pem:pw", "h"}), ElementsAre("certificate =client.pem"));
}

TEST(CurlCredentialTest, OrdinaryHeadersAreNone) {
  EXPECT_THAT(
      Credentials(
          Curl({"-H", "Accept: token", "-H", "X-Author: me", "-H", "Keyboard: qwerty", "h/x?monkey=1"}).requests.at(0)),
      IsEmpty());
}

TEST(CurlRouteTest, HostsBehindTheUrlAreSeen) {
  EXPECT_THAT(Curl({"-H", "Host: Prod.example:443", "http://10.0.0.1/"}).requests.at(0).Hosts(),
              ElementsAre("10.0.0.1", "prod.example"));
  EXPECT_THAT(Curl({"--resolve", "h:80:10.0.0.9,[fe80::1]", "--resolve", "other:80:1.1.1.1", "http://h/"})
                  .requests.at(0)
                  .Hosts(),
              ElementsAre("h", "10.0.0.9", "fe80::1"));
  EXPECT_THAT(
      Curl({"--connect-to", "h:80:prod.example:443", "--connect-to", "::b:", "--connect-to", "x:80:c:1", "http://h/"})
          .requests.at(0)
          .Hosts(),
      ElementsAre("h", "prod.example", "b"));
  EXPECT_THAT(Curl({"-H", "Host: h", "http://h/"}).requests.at(0).Hosts(), ElementsAre("h"));
  EXPECT_EQ(Curl({"-x", "socks5h://Proxy.example:1080", "h"}).requests.at(0).proxy, "proxy.example");
  EXPECT_EQ(Curl({"--unix-socket", "/var/run/docker.sock", "h"}).requests.at(0).unix_socket, "/var/run/docker.sock");
}

TEST(CurlFilesTest, WhatIsNotThereIsNeeded) {
  const HttpCommand command = Curl({"-K", "c", "-d", "@b", "-d", "@-", "-H", "@hdr", "-n", "h"});
  std::vector<std::string> paths;
  for (const NeededFile& file : command.needed_files) paths.push_back((file.implied ? "?" : "") + file.path);
  EXPECT_THAT(paths, ElementsAre("?~/.curlrc", "c", "b", "-", "hdr", "~/.netrc"));
  EXPECT_THAT(command.blind_spots, ElementsAre("configuration unseen: c"));
  EXPECT_THAT(command.requests.at(0).blind_spots, ElementsAre("body unseen: b", "body unseen: standard input",
                                                              "headers unseen: hdr", "credential unseen: ~/.netrc"));
}

TEST(CurlFilesTest, DefaultConfigurationIsLookedAtUnlessDisabledFirst) {
  const AttachedFiles files = {{"~/.curlrc", {"request=DELETE", false, ""}}};
  EXPECT_EQ(DescribeHttp(Curl({"h"}, files)), "DELETE http://h:80/");
  EXPECT_EQ(DescribeHttp(Curl({"-q", "h"}, files)), "GET http://h:80/");
  EXPECT_EQ(DescribeHttp(Curl({"-s", "-q", "h"}, files)), "DELETE http://h:80/");
  EXPECT_THAT(Curl({"-q", "h"}).needed_files, IsEmpty());
}

TEST(CurlFilesTest, AFileThatCannotBeReadIsABlindSpotAndNotAskedAgain) {
  const HttpCommand command = Curl({"-q", "-d", "@gone", "h"}, Files());
  EXPECT_THAT(command.needed_files, IsEmpty());
  EXPECT_THAT(command.requests.at(0).blind_spots, ElementsAre("body unseen: gone: no such file"));
  EXPECT_FALSE(command.requests.at(0).body_seen);
}

TEST(CurlFilesTest, WrittenFilesAreListed) {
  EXPECT_THAT(Curl({"-o", "out", "-D", "-", "-c", "jar", "h"}).outputs, ElementsAre("out", "jar"));
}

TEST(CurlBlindSpotTest, SaysWhatItCannotKnow) {
  const auto spots = [](Words words) {
    const HttpCommand command = Curl(words, Files());
    std::vector<std::string> all = command.blind_spots;
    for (const HttpRequest& request : command.requests) {
      all.insert(all.end(), request.blind_spots.begin(), request.blind_spots.end());
    }
    return ::testing::PrintToString(all);
  };
  EXPECT_THAT(spots({"-H", "X: a\r\n\r\nDELETE / HTTP/1.1", "h"}), HasSubstr("line breaks"));
  EXPECT_THAT(spots({"-X", "GET / HTTP/1.1\r\nX: ", "h"}), HasSubstr("white space"));
  EXPECT_THAT(spots({"-H", "Content-Encoding: gzip", "--data-binary", "@f", "h"}), HasSubstr("compressed"));
  EXPECT_THAT(spots({"-H", "Content-Type: application/json; charset=UTF-16", "-d", "x", "h"}), HasSubstr("utf-16"));
  EXPECT_THAT(spots({"http://h/[1-1000]"}), HasSubstr("more URLs"));
  EXPECT_THAT(spots({"--expand-data", "{{nope}}", "h"}), HasSubstr("--expand-data"));
  EXPECT_THAT(spots({"http://\xef\xbd\x82.example/"}), HasSubstr("not ASCII"));
  EXPECT_THAT(spots({"--frobnicate", "h"}), HasSubstr("option not known: --frobnicate"));
  EXPECT_EQ(spots({"--no-silent", "h"}), "{}");
  EXPECT_EQ(spots({"-sS", "-L", "https://h/x", "-o", "x"}), "{}");
}

TEST(CurlEdgeTest, OnlyAHelpThatCurlSeesEndsIt) {
  // The value of an option that the table lacks; a line of a configuration file.
  EXPECT_EQ(Curl({"--from-the-future", "-V", "h"}).requests.size(), 1u);
  EXPECT_EQ(Curl({"-K", "c", "h"}, {{"c", {"version\nhelp\n", false, ""}}}).requests.size(), 1u);
  EXPECT_EQ(Curl({"-d", "-V", "h"}).requests.size(), 1u);
  EXPECT_EQ(Curl({"-sV", "h"}).requests.size(), 0u);
}

TEST(CurlEdgeTest, UrlsFromAFile) {
  EXPECT_EQ(DescribeHttp(Curl({"--url", "@u"}, {{"u", {"h/1\n# no\n\n h/2\n", false, ""}}})),
            "GET http://h:80/1\nGET http://h:80/2");
  EXPECT_THAT(Curl({"--url", "@u"}).blind_spots, ElementsAre("URLs unseen: u"));
}

TEST(CurlRouteTest, RedirectsAreSaidByTheRequest) {
  EXPECT_TRUE(Curl({"-L", "-d", "x", "h"}).requests.at(0).follows_redirects);
  EXPECT_FALSE(Curl({"-d", "x", "h"}).requests.at(0).follows_redirects);
}

TEST(CurlBoundsTest, ManyUrlsAndLargeBodiesStayBounded) {
  Words words(200, "h/x");
  EXPECT_EQ(Curl(words).requests.size(), 64u);
  EXPECT_EQ(Curl({"http://h/[1-99999999999][1-99999999][a-z]"}).requests.size(), 64u);
  words = {"h"};
  for (int i = 0; i < 20; ++i) words.insert(words.end(), {"-d", "@big"});
  const HttpCommand command = Curl(words, {{"big", {std::string(300'000, 'x'), false, ""}}});
  EXPECT_LE(command.requests.at(0).body.size(), 1u << 20);
  EXPECT_FALSE(command.requests.at(0).body_seen);
}

TEST(CurlBoundsTest, OneLargeBodyForManyUrlsIsKeptOnce) {
  const HttpCommand command = Curl({"http://h/[1-9]", "-d", "@big"}, {{"big", {std::string(500'000, 'x'), false, ""}}});
  EXPECT_EQ(command.requests.at(0).body.size(), 500'000u);
  EXPECT_EQ(command.requests.at(8).body, "");
  EXPECT_FALSE(command.requests.at(8).body_seen);
  EXPECT_THAT(command.requests.at(8).blind_spots, ElementsAre("body unseen: too much for so many URLs"));
}

}  // namespace
}  // namespace holdpoint
