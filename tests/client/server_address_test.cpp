#include "client/server_address.h"

#include <gtest/gtest.h>

#include "carrel/base/error.h"

namespace carrel::client {
namespace {

TEST(ServerAddress, UnderstandsTheUsualForms) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
      {"127.0.0.1:8080", "http://127.0.0.1:8080"},
      {"http://localhost", "http://localhost:80"},
      {"http://localhost:1/", "http://localhost:1"},
      {"http://[::1]:8080", "http://[::1]:8080"},
  };
  for (const auto& [url, canonical] : cases) EXPECT_EQ(ServerAddress::parse(url).url(), canonical);
}

TEST(ServerAddress, RejectsTheRest) {
  for (const std::string_view url :
       {"https://127.0.0.1", "http://", "http://:80", "http://h:0", "http://h:65536", "http://h:x",
        "http://h:", "http://h:80/v1", "http://h:80?x", "http://[::1", "http://a b:1"})
    EXPECT_THROW((void)ServerAddress::parse(url), Error) << url;
}

}  // namespace
}  // namespace carrel::client
