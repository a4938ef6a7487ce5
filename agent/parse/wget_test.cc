#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/parse/http_describe.h"
#include "agent/parse/http_request.h"

namespace holdpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Words = std::vector<std::string>;

HttpCommand Wget(Words words, const AttachedFiles& files = {}) {
  words.insert(words.begin(), "wget");
  return ParseWget(words, files);
}

const AttachedFiles& Files() {
  static const AttachedFiles files = {{"list", {"https://h/1\n\n/2\n3\n", false, ""}},
                                      {"rc", {"# all\nPost_Data = a=1\nhttp-proxy = http://Proxy:3128/\n", false, ""}},
                                      {"~/.netrc", {"default login u password p", false, ""}}};
  return files;
}

struct Case {
  const char* name;
  Words words;
  const char* want;
};

class WgetTest : public ::testing::TestWithParam<Case> {};

TEST_P(WgetTest, SendsWhatWgetSends) { EXPECT_EQ(DescribeHttp(Wget(GetParam().words, Files())), GetParam().want); }

INSTANTIATE_TEST_SUITE_P(
    Wget, WgetTest,
    ::testing::Values(
        Case{"Plain", {"h/x"}, "GET http://h:80/x"},
        Case{"SeveralUrls", {"h/1", "h/2"}, "GET http://h:80/1\nGET http://h:80/2"},
        Case{"ValuesAreNoUrls",
             {"-t", "3", "-O", "out", "-P", "d", "-A", "*.x", "-nv", "-np", "h/x"},
             "GET http://h:80/x"},
        Case{"PortIsNoFtp", {"h:8080/x"}, "GET http://h:8080/x"},
        Case{"FtpShorthand", {"h:dir/x"}, "GET ftp://h:21/dir/x"},
        Case{"List",
             {"-i", "list", "--base", "http://b/d/e"},
             "GET https://h:443/1\nGET http://b:80/2\nGET http://b:80/d/3"},
        Case{"Config", {"--config=rc", "h"}, "POST http://h:80/ [application/x-www-form-urlencoded] {a=1}"},
        Case{"MethodIsRaisedToUpperCase", {"--method=delete", "h"}, "DELETE http://h:80/"},
        Case{"Override",
             {"--post-data=x", "--header=X-HTTP-Method-Override: DELETE", "h"},
             "POST http://h:80/ as DELETE [application/x-www-form-urlencoded] {x}"},
        Case{"Help", {"--help", "h"}, ""}),
    [](const auto& test) { return test.param.name; });

TEST(WgetDetailTest, AnEmptyHeaderForgetsThoseBeforeIt) {
  const HttpCommand command = Wget({"--header=X-Api-Key: k", "--header=", "--header=Y: z", "h"});
  EXPECT_EQ(command.requests.at(0).Header("x-api-key"), nullptr);
  EXPECT_EQ(*command.requests.at(0).Header("y"), "z");
}

TEST(WgetDetailTest, CredentialsAreSeen) {
  EXPECT_EQ(Wget({"--user=u", "--password=p", "h"}).requests.at(0).credentials.at(0).value, "u:p");
  EXPECT_EQ(Wget({"h"}, Files()).requests.at(0).credentials.at(0).value, "u:p");
  EXPECT_THAT(Wget({"--no-netrc", "h"}, Files()).requests.at(0).credentials, IsEmpty());
}

TEST(WgetDetailTest, WhatIsNotThereIsNeeded) {
  const HttpCommand command = Wget({"-i", "-", "--body-file=b", "--method=PUT", "h"});
  std::vector<std::string> paths;
  for (const NeededFile& file : command.needed_files) paths.push_back((file.implied ? "?" : "") + file.path);
  EXPECT_THAT(paths, ElementsAre("?~/.wgetrc", "b", "?~/.netrc", "-"));
  EXPECT_THAT(command.blind_spots, ElementsAre("URLs unseen: standard input"));
  EXPECT_THAT(command.requests.at(0).blind_spots, ElementsAre("body unseen: b"));
}

TEST(WgetDetailTest, ProxyRedirectsAndOutputsAreSaid) {
  const HttpCommand command = Wget({"--config=rc", "-O", "out", "-o", "log", "--max-redirect=0", "h"}, Files());
  EXPECT_EQ(command.requests.at(0).proxy, "proxy");
  EXPECT_FALSE(command.requests.at(0).follows_redirects);
  EXPECT_TRUE(Wget({"h"}).requests.at(0).follows_redirects);
  EXPECT_THAT(command.outputs, ElementsAre("out", "log"));
}

}  // namespace
}  // namespace holdpoint
