// Connection::set_place where the place is not to be had, or the link breaks on the way there.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/tenants.h"

namespace carrel::test {
namespace {

using std::array;
using Names = std::vector<std::string>;

TEST_P(Placed, APlaceThatThereIsNotRunsNothing) {
  struct Case {
    Place place;
    std::string code;
  };
  const Case cases[] = {
      {{.role = "nobody", .schema = a_.schema}, "sql.no_role"},
      {{.role = own_name() + "_closed", .schema = a_.schema}, GetParam().not_granted},
      {{.role = a_.role, .schema = "nowhere"}, GetParam().no_schema},
      {{.role = b_.role, .schema = a_.schema},
       is_postgres() ? "sql.no_table" : "sql.access_denied"},
  };
  for (const auto& [place, code] : cases) {
    SCOPED_TRACE(place.role + " in " + place.schema);
    in(a_);
    expect_in(a_);
    in(place);
    EXPECT_EQ(failing([&] { run("insert into item values ('plain')"); }), code);
    EXPECT_EQ(failing([&] { write(*connection_, "bound"); }), code);
    connection_->begin({});
    EXPECT_EQ(failing([&] { run("insert into item values ('begun')"); }), code);
    connection_->rollback();
    connection_->begin({});
    EXPECT_EQ(failing([&] {
                connection_->savepoint(1);
                write(*connection_, "bound");
              }),
              code);
    connection_->rollback();
    constexpr array<std::string_view, 1> columns = {"name"};
    EXPECT_EQ(failing([&] {
                connection_->load(
                    {.table = "item", .columns = columns, .values = array{Value("loaded")}});
              }),
              code);
    EXPECT_FALSE(connection_->broken());
    in(b_);
    expect_in(b_);
  }
  EXPECT_EQ(rows_of(a_), Names());
}

TEST_P(Placed, ANameThatTheServerWouldTakeForAnotherIsRefused) {
  const std::string with_nul("a\0b", 3);
  EXPECT_EQ(failing([&] { in({.role = "none"}); }), "sql.invalid_place");
  EXPECT_EQ(failing([&] { in({.role = with_nul}); }), "sql.invalid_place");
  EXPECT_EQ(failing([&] { in({.schema = with_nul}); }), "sql.invalid_place");
  const std::string too_long(200, 'x');
  const auto used = [&](const Place& place) {
    return failing([&] {
      in(place);
      run("select 1");
    });
  };
  EXPECT_NE(used({.role = too_long}), "nothing");
  EXPECT_NE(used({.schema = too_long}), "nothing");
  in({});
  expect_home();
}

TEST_P(Placed, CutAtAnyByteItTellsTheTruthOfEachTenant) {
  FaultGate gate(server_port(GetParam().port_name));
  const auto through = driver(gate.port());
  const auto transfer = [&](const Place& place, const std::string& name) {
    in(place);
    connection_->begin({});
    run("insert into item values ('" + name + "')");
    connection_->commit();
  };
  const auto prepare = [&](const std::string& name) {
    gate.set({});
    connection_ = through->connect({});
    transfer(b_, name);
    gate.set({});
  };
  prepare("first");
  transfer(a_, "first");
  const auto total = gate.passed();
  for (std::size_t cut = 0; cut < total; ++cut) {
    const auto name = std::to_string(cut);
    prepare(name);
    gate.set({.cut_after = cut});
    const auto thrown = failing([&] { transfer(a_, name); });
    EXPECT_TRUE(connection_->broken()) << "cut after " << cut;
    const auto written = rows_of(a_);
    const bool is_there = std::ranges::find(written, name) != written.end();
    if (thrown == "sql.connection_lost, in doubt") continue;
    EXPECT_EQ(thrown, "sql.connection_lost, retryable") << "cut after " << cut;
    EXPECT_FALSE(is_there) << "cut after " << cut;
  }
  EXPECT_EQ(rows_of(b_).size(), total + 1);
}

}  // namespace
}  // namespace carrel::test
