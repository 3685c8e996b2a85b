// Arrays as parameters, on a real server.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/sql_error.h"
#include "drivers/one_connection.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

using std::optional;
using std::string;
using std::vector;

class PostgresArray : public OneConnectionTest {
 protected:
  PostgresArray()
      : OneConnectionTest(open_postgres(), "id bigint primary key, name text, amount bigint") {}

  template <class... P>
  Result execute(std::string_view sql, const P&... parameters) {
    return run(sql, std::array<Value, sizeof...(P)>{Value(parameters)...});
  }
  // What the server makes of it, in its own words.
  string told(const string& type, const Array& array) {
    return execute("select $1::" + type + "::text", array).one().get<string>(0);
  }
  // Element by element, as it comes back.
  template <class T>
  vector<optional<T>> unnested(const Array& array) {
    vector<optional<T>> elements;
    for (const auto row : execute("select unnest($1)", array))
      elements.push_back(row.get<optional<T>>(0));
    return elements;
  }
  // What is said of it as the second parameter, once the statement is known and before.
  string refusal(const Array& array) {
    const auto before = connection_->round_trips();
    const auto message = message_of([&] { execute("select $1::int, $2", 1, array); });
    EXPECT_EQ(connection_->round_trips(), before) << message;
    return message;
  }
  string code_of(const Array& array) {
    const auto before = connection_->round_trips();
    const auto code = thrown_by([&] { execute("select $1", array); });
    EXPECT_EQ(connection_->round_trips(), before) << code;
    return code;
  }
};

TEST_F(PostgresArray, OfEveryKindComesBackAsItWent) {
  const vector<optional<std::int64_t>> integers{INT64_MIN, std::nullopt, INT64_MAX};
  EXPECT_EQ(unnested<std::int64_t>(Array(integers)), integers);
  const vector<optional<double>> reals{0.1, std::nullopt, -1e300};
  EXPECT_EQ(unnested<double>(Array(reals)), reals);
  const vector<optional<string>> texts{"\u4e2d\u6587 {\"quoted\", \\}", std::nullopt, "", "NULL"};
  EXPECT_EQ(unnested<string>(Array(texts)), texts);
  const vector<optional<Bytes>> bytes{Bytes{std::byte{0}, std::byte{255}}, std::nullopt, Bytes()};
  EXPECT_EQ(unnested<Bytes>(Array(bytes)), bytes);
  const vector<optional<Timestamp>> times{
      Timestamp(std::chrono::microseconds(1'767'225'600'123'456)), std::nullopt, Timestamp()};
  EXPECT_EQ(unnested<Timestamp>(Array(times)), times);
  const vector<optional<Uuid>> uuids{Uuid::parse("0189f7e2-4a6b-7c8d-9e0f-112233445566"),
                                     std::nullopt, Uuid()};
  EXPECT_EQ(unnested<Uuid>(Array(uuids)), uuids);
}

TEST_F(PostgresArray, IsMadeOfWhateverLiesInARow) {
  EXPECT_EQ(told("int[]", Array(vector<unsigned char>{7})), "{7}");
  EXPECT_EQ(told("int[]", Array(std::span<const short>(std::array<short, 2>{-3, 4}))), "{-3,4}");
  EXPECT_EQ(told("text[]", Array(std::array<std::string_view, 2>{"a", "b"})), "{a,b}");
  const std::array values{Value(1), Value(), Value(3)};
  EXPECT_EQ(told("bigint[]", Array(values, ValueKind::integer)), "{1,NULL,3}");
  EXPECT_EQ(told("text[]", Array(std::array{Value(), Value()}, ValueKind::null)), "{NULL,NULL}");
  EXPECT_EQ(told("bigint[]", Array(vector<int>(100'000, 7))).size(), 200'001U);
}

TEST_F(PostgresArray, IsCastToOtherTypesByTheStatement) {
  EXPECT_EQ(told("date[]", Array(vector<string>{"2026-01-31"})), "{2026-01-31}");
  EXPECT_EQ(told("numeric[]", Array(vector{7})), "{7}");
  EXPECT_EQ(told("jsonb[]", Array(vector<string>{"[1]"})), "{[1]}");
  // A bool is a number, as it is by itself.
  EXPECT_EQ(told("bigint[]", Array(std::array{true, false})), "{1,0}");
  EXPECT_EQ(told("int[]::boolean[]", Array(std::array{true, false})), "{t,f}");
  EXPECT_EQ(thrown_by([&] { told("date[]", Array(vector<string>{"secret"})); }),
            "sql.type_mismatch");
  EXPECT_EQ(message_of([&] { told("date[]", Array(vector<string>{"secret"})); }).find("secret"),
            string::npos);
  EXPECT_EQ(thrown_by([&] { told("int[]", Array(vector{INT64_MAX})); }), "sql.value_out_of_range");
}

TEST_F(PostgresArray, WithoutElementsIsNoNull) {
  const vector<int> none;
  EXPECT_EQ(execute("select cardinality($1) + cardinality($2) + cardinality($3)", Array(none),
                    Array(none), Array(none))
                .one()
                .get<int>(0),
            0);
  EXPECT_EQ(execute("select cardinality($1)", Array(none)).one().get<int>(0), 0);
  EXPECT_TRUE(execute("select 1 where 1 = any($1)", Array(none)).empty());
  EXPECT_TRUE(execute("select unnest($1)", Array(none)).empty());
  EXPECT_EQ(told("text[]", Array(vector<string>())), "{}");
  EXPECT_EQ(told("uuid[]", Array(vector<optional<Uuid>>())), "{}");
  EXPECT_EQ(told("bigint[]", Array(std::span<const Value>(), ValueKind::integer)), "{}");
}

TEST_F(PostgresArray, MayBeLeftOut) {
  const auto* const sql = "select cardinality($1)";
  const std::array ids{1, 2};
  const Array some(ids);
  EXPECT_EQ(execute(sql, some).one().get<int>(0), 2);
  EXPECT_EQ(execute(sql, optional<Array>(some)).one().get<int>(0), 2);
  EXPECT_EQ(execute(sql, optional<Array>()).one().get<optional<int>>(0), std::nullopt);
  EXPECT_EQ(execute(sql, nullptr).one().get<optional<int>>(0), std::nullopt);
}

TEST_F(PostgresArray, WithAnElementThatDoesNotFitIsRefusedBeforeAnythingIsSent) {
  using namespace std::string_view_literals;
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(code_of(Array(vector<string>{"good", "\xc3\x28"})), "sql.invalid_text");
    EXPECT_EQ(code_of(Array(vector{"good"sv, "a\0b"sv})), "sql.invalid_text");
    EXPECT_EQ(code_of(Array(vector<std::uint64_t>{1, UINT64_MAX})), "sql.value_out_of_range");
    EXPECT_EQ(code_of(Array(vector{Timestamp(), Timestamp::min()})), "sql.value_out_of_range");
    const std::array mixed{Value(1), Value("two")};
    const Array inner(mixed, ValueKind::integer);
    EXPECT_EQ(code_of(inner), "sql.type_mismatch");
    EXPECT_EQ(code_of(Array(std::array{Value(1)}, ValueKind::null)), "sql.type_mismatch");
    EXPECT_EQ(code_of(Array(std::array{Value(inner)}, ValueKind::integer)), "sql.type_mismatch");
    EXPECT_EQ(code_of(Array(std::array{Value(inner)}, ValueKind::array)), "sql.unsupported");
    // And so once the statement is known.
    EXPECT_EQ(execute("select $1", Array(vector<string>{"good"})).size(), 1U);
    EXPECT_EQ(execute("select $1", Array(vector{1})).size(), 1U);
  }
}

TEST_F(PostgresArray, ThatIsRefusedIsNamedWithoutItsElements) {
  const auto text = refusal(Array(vector<string>{"good", "secret\xff"}));
  EXPECT_NE(text.find("parameter $2, element 2 of an array: no valid UTF-8"), string::npos) << text;
  EXPECT_NE(text.find("select $1::int, $2"), string::npos) << text;
  EXPECT_EQ(text.find("secret"), string::npos) << text;
  const auto kinds = refusal(Array(std::array{Value(1), Value("secret")}, ValueKind::integer));
  EXPECT_NE(kinds.find("parameter $2, element 2 of an array: text among integer"), string::npos)
      << kinds;
  const auto time = refusal(Array(vector{Timestamp::min()}));
  EXPECT_NE(time.find("parameter $2, element 1 of an array: a timestamp before"), string::npos)
      << time;
}

TEST_F(PostgresArray, BeyondWhatTheServerTakesIsRefusedBeforeAnythingIsSent) {
  const Bytes megabyte(1 << 20);
  const vector<std::span<const std::byte>> blobs(1'023, megabyte);
  EXPECT_EQ(code_of(Array(blobs)), "sql.too_big");
  EXPECT_NE(refusal(Array(blobs)).find("parameter $2, an array of about a gigabyte"), string::npos);
  // As many as make the server's own array too large, though each takes four bytes on the way.
  constexpr std::size_t kMost = 134'217'727;
  const auto never_touched = std::make_unique_for_overwrite<unsigned char[]>(kMost + 1);
  const Array many(std::span<const unsigned char>(never_touched.get(), kMost + 1));
  EXPECT_EQ(code_of(many), "sql.too_big");
  EXPECT_NE(refusal(many).find("more than 134217727 elements"), string::npos);
  // Each fits, but not both in one message.
  const vector most(blobs.begin(), blobs.begin() + 600);
  const Array half(most);
  const auto before = connection_->round_trips();
  EXPECT_EQ(thrown_by([&] { execute("select $1, $2", half, half); }), "sql.too_big");
  EXPECT_EQ(connection_->round_trips(), before);
  EXPECT_EQ(told("int[]", Array(vector{1})), "{1}");
}

TEST_F(PostgresArray, OfAnotherKindIsAnotherStatement) {
  const auto type = [&](const auto& parameter) {
    return execute("select pg_typeof($1)::text", parameter).one().template get<string>(0);
  };
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(type(Array(vector{1})), "bigint[]");
    EXPECT_EQ(type(Array(vector<string>{"a"})), "text[]");
    EXPECT_EQ(type(Array(vector{Uuid()})), "uuid[]");
    EXPECT_EQ(type(7), "bigint");
  }
  EXPECT_EQ(trips([&] { type(Array(vector{2})); }), 1U);
}

TEST_F(PostgresArray, ChangesManyRowsAtOnce) {
  const vector<int> ids{1, 2, 3};
  const vector<optional<string>> names{"one", std::nullopt, "three"};
  const auto* const upsert =
      "insert into item (id, name, amount) select *, 0 from unnest($1, $2) "
      "on conflict (id) do update set name = excluded.name, amount = item.amount + 10 "
      "returning amount";
  EXPECT_EQ(execute(upsert, Array(ids), Array(names)).size(), 3U);
  EXPECT_EQ(execute(upsert, Array(ids), Array(names))[2].get<int>(0), 10);
  const std::array<int, 2> amounts{100, 200};
  const std::array<int, 2> some{3, 1};
  EXPECT_EQ(execute("update item set amount = given.amount from unnest($1, $2) as "
                    "given (id, amount) where item.id = given.id",
                    Array(some), Array(amounts))
                .affected_rows(),
            2);
  EXPECT_EQ(execute("select amount from item where id = 1").one().get<int>(0), 200);
}

TEST_F(PostgresArray, TravelsInAPipelineBesidePlainValues) {
  const vector<int> ids{1, 2, 3};
  const vector<string> names{"a", "b"};
  const Array numbers(ids);
  const Array texts(names);
  const std::array<Value, 1> first{numbers};
  const std::array<Value, 3> second{texts, "plain", numbers};
  const std::array<Value, 1> third{5};
  const std::array<BatchItem, 4> items{{
      {"select sum(one) from unnest($1) one", first},
      {"select cardinality($1) + length($2) + cardinality($3)", second},
      {"select $1 + 1", third},
      {"select sum(one) from unnest($1) one", first},
  }};
  for (int again = 0; again < 2; ++again) {
    connection_->begin({});
    EXPECT_EQ(trips([&] {
                const auto results = connection_->batch_and_commit(items);
                EXPECT_EQ(results[0].one().get<int>(0), 6);
                EXPECT_EQ(results[1].one().get<int>(0), 10);
                EXPECT_EQ(results[2].one().get<int>(0), 6);
                EXPECT_EQ(results[3].one().get<int>(0), 6);
              }),
              1U);
  }
}

TEST_F(PostgresArray, IsRefusedInABatchBeforeAnyOfItIsSent) {
  const vector<string> wrong{"\xff"};
  const Array array(wrong);
  const std::array<Value, 1> parameters{array};
  const std::array<BatchItem, 2> items{{
      {"insert into item (id) values (1)", {}},
      {"select $1", parameters},
  }};
  connection_->begin({});
  EXPECT_EQ(trips([&] {
              EXPECT_EQ(thrown_by([&] { connection_->batch_and_commit(items); }),
                        "sql.invalid_text");
            }),
            0U);
  run("insert into item (id) values (2)");
  connection_->commit();
  EXPECT_EQ(count(), 1);
}

TEST_F(PostgresArray, GoesAlsoWhereNothingIsPrepared) {
  auto options = postgres_options();
  options.statements_max = 0;
  const auto connection = postgres_driver(options)->connect({});
  const vector<optional<string>> names{"a", std::nullopt};
  const Array array(names);
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(connection->execute("select array_to_string($1, ',', '-')", std::array{Value(array)})
                  .one()
                  .get<string>(0),
              "a,-");
  }
}

// Found with arrays: beyond the server's limit for one message, it closes the connection.
TEST_F(PostgresArray, AndAllOtherValuesOfAStatementStayBelowAGigabyte) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  const auto never_touched = std::make_unique_for_overwrite<std::byte[]>(kBytes);
  const std::span<const std::byte> blob(never_touched.get(), kBytes);
  const auto* const sql = "select length($1), $2::int, length($3::text)";
  const auto code = [&](const Value& first, const Value& third) {
    return thrown_by([&] { execute(sql, first, 1, third); });
  };
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(code(blob, "text"), "sql.too_big");
    const auto most = blob.first(kBytes - (1 << 20) - 2);
    const string text(1'000, 'x');
    EXPECT_EQ(code(most, text), "sql.too_big");
    EXPECT_EQ(code(Bytes(), text), "nothing");
  }
  EXPECT_NE(message_of([&] { execute(sql, blob, 1, "secret"); }).find(sql), string::npos);
}

}  // namespace
}  // namespace carrel::test
