#include "ledger/http/timestamp.h"

#include <gtest/gtest.h>

namespace carrel::ledger::http {
namespace {

using namespace std::chrono;

TEST(Rfc3339, ReadsTimesInAnyOffset) {
  const Timestamp noon = sys_days(2026y / 1 / 31) + 12h;
  const std::pair<const char*, Timestamp> table[] = {
      {"2026-01-31T12:00:00Z", noon},
      {"2026-01-31t12:00:00z", noon},
      {"2026-01-31T20:00:00+08:00", noon},
      {"2026-01-31T06:30:00-05:30", noon},
      {"2026-01-31T12:00:00.5Z", noon + 500ms},
      {"2026-01-31T12:00:00.000001Z", noon + 1us},
      {"2024-02-29T00:00:00Z", sys_days(2024y / 2 / 29)},
      {"1969-12-31T23:59:59Z", sys_days(1970y / 1 / 1) - 1s},
  };
  for (const auto& [text, time] : table) EXPECT_EQ(parse_rfc3339(text), time) << text;
}

TEST(Rfc3339, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z",
        "2026-12-31T23:59:60Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.1234567Z",
        "2026-01-31T12:00:00+0800", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00Zjunk",
        "26-01-31T12:00:00Z", "2026-1-31T12:00:00Z", "2026-01-31T12:00:00+-8:00"})
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
}

TEST(Rfc3339, WritesWhatItReads) {
  for (const char* text : {"2026-01-31T12:00:00.000000Z", "1969-12-31T23:59:59.999999Z",
                           "2093-06-15T01:02:03.040506Z"})
    EXPECT_EQ(to_rfc3339(*parse_rfc3339(text)), text);
  EXPECT_EQ(to_iso_date(20260131), "2026-01-31");
}

}  // namespace
}  // namespace carrel::ledger::http
