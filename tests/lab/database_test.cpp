#include "lab/database.h"

#include <gtest/gtest.h>

#include <string>

#include "carrel/base/error.h"
#include "drivers/servers.h"
#include "lab/connection.h"
#include "lab/report_text.h"
#include "lab/split.h"
#include "lab/utilisation.h"

namespace carrel::lab {
namespace {

std::string server_url() {
  return "postgresql://postgres:" + test::server_setting("PASSWORD") +
         "@127.0.0.1:" + test::server_setting("POSTGRES_PORT") + "/postgres";
}

void writes_on_several_connections(const Database& database) {
  const auto driver = database.several_writers();
  const auto first = driver->connect({});
  const auto second = driver->connect({});
  first->execute("create table t (number integer)", {});
  first->execute("insert into t values (1)", {});
  second->execute("insert into t values (2)", {});
  EXPECT_EQ(first->execute("select count(*) from t", {}).one().get<int>(0), 2);
}

TEST(LabDatabase, IsATemporaryFileWhenNoServerIsNamed) {
  const Database database("");
  EXPECT_FALSE(database.has_server());
  writes_on_several_connections(database);
}

TEST(LabDatabase, HasASchemaOfItsOwnOnAServerAndDropsIt) {
  const Database outside(server_url());
  EXPECT_TRUE(outside.has_server());
  const auto connection = outside.driver()->connect({});
  const auto schemas = [&] {
    return connection
        ->execute("select count(*) from pg_namespace where nspname like 'carrel_lab_%'", {})
        .one()
        .get<int>(0);
  };
  const int before = schemas();
  {
    const Database database(server_url());
    EXPECT_EQ(schemas(), before + 1);
    writes_on_several_connections(database);
  }
  EXPECT_EQ(schemas(), before);
}

TEST(LabDatabase, RefusesWhatNamesNoServer) {
  for (const char* url : {"localhost", "mysql://localhost", "postgresql://", "postgresql://h:port",
                          "postgresql://h:99999999/d"}) {
    try {
      const Database database(url);
      FAIL() << url;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), "lab.not_a_url") << url;
    }
  }
}

TEST(LabOnPostgres, ConnectionIsShownAndItsRemedyToo) {
  const Report report =
      run_connection({.requests = 200, .starts = 4}, {.seed = 42, .postgres = server_url()});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

TEST(LabOnPostgres, SplitIsShownAndItsRemedyToo) {
  const Report report = run_split({.transfers = 400}, {.seed = 42, .postgres = server_url()});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

TEST(LabOnPostgres, UtilisationIsShownAndItsRemedyToo) {
  const Report report = run_utilisation({.threads = {48}, .gain_min = 1.5, .idle_held_min = 0.4},
                                        {.postgres = server_url()});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

}  // namespace
}  // namespace carrel::lab
