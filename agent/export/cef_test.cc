#include "agent/export/cef.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/export/test_events.h"

namespace holdpoint {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(CefTest, ValuesEscapeWhatSeparates) {
  EXPECT_EQ(CefValue("a=b|c\\d", 100), "a\\=b|c\\\\d");
  EXPECT_EQ(CefValue("one\ntwo\r\x1b[31m\xff", 100), "one\\\\ntwo\\\\x0d\\\\x1b[31m\\\\xff");
  EXPECT_EQ(CefHeader("a=b|c\\d\n", 100), "a=b\\|c\\\\d\\\\n");
}

TEST(CefTest, LongValuesSayHowMuchIsMissing) {
  EXPECT_EQ(CefValue(std::string(12, 'x'), 10), "xxxxxxxxxx...(+2 bytes)");
  EXPECT_EQ(CefValue(std::string(10, 'x'), 10), "xxxxxxxxxx");
  EXPECT_LT(CefValue(std::string(100'000, '\x01'), 1000).size(), 2100u);
}

TEST(CefTest, ASessionCannotAddAKeyOrALine) {
  v1::Envelope event = ExportedEvents()[0].second;
  event.mutable_exec()->mutable_process()->clear_argv();
  event.mutable_exec()->mutable_process()->add_argv("x act=allow cs2=default\nCEF:0|Other|Other|1|1|1|1|");
  const std::string line = EventToCef(event);
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  EXPECT_THAT(line, HasSubstr("x act\\=allow cs2\\=default\\\\nCEF:0|Other"));
  EXPECT_THAT(line, HasSubstr(" act=refuse "));
}

TEST(CefTest, IsBoundedWhateverIsInTheRecord) {
  v1::Envelope event = ExportedEvents()[0].second;
  v1::Judgement& judgement = *event.mutable_exec()->mutable_judgement();
  for (std::string* text : {judgement.mutable_rule(), judgement.mutable_reason(), judgement.mutable_summary(),
                            judgement.mutable_resource()->mutable_id(), event.mutable_session(),
                            judgement.mutable_tags()->mutable_target()->mutable_environment(),
                            event.mutable_stream()->mutable_host(), event.mutable_exec()->mutable_ticket()}) {
    *text = std::string(100'000, '=');
  }
  for (int i = 0; i < 64; ++i) event.mutable_exec()->mutable_process()->add_argv(std::string(512, '\x02'));
  EXPECT_LT(EventToCef(event).size(), kMaxCefBytes);
}

}  // namespace
}  // namespace holdpoint
