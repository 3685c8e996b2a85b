#include "bench/db/handwritten.h"

#include <endian.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace carrel::bench {
namespace {

struct Clear {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, Clear>;

constexpr int kTextFormat = 0;
constexpr int kBinaryFormat = 1;

void require(bool good, PGconn* connection) {
  if (!good) throw std::runtime_error(PQerrorMessage(connection));
}

std::uint64_t binary(std::int64_t value) {
  return htobe64(static_cast<std::uint64_t>(value));
}

const char* bytes(const std::uint64_t& value) {
  return reinterpret_cast<const char*>(&value);
}

}  // namespace

HandWritten::HandWritten() : connection_(connect_by_hand()) {
  prepare("begin", "begin read write");
  prepare("voucher", "insert into bench.voucher (id, memo) values ($1::bigint, $2::text)");
  prepare("balance",
          "update bench.account set balance = balance + $1::bigint where id = $2::bigint "
          "returning balance");
  prepare("entries",
          "insert into bench.entry (voucher, account, amount) values "
          "($1::bigint, $2::bigint, $3::bigint), ($1, $4::bigint, $5::bigint)");
  prepare("commit", "commit");
}

void HandWritten::prepare(const char* name, const char* sql) {
  const ResultPtr result(PQprepare(connection_.get(), name, sql, 0, nullptr));
  require(PQresultStatus(result.get()) == PGRES_COMMAND_OK, connection_.get());
}

std::int64_t HandWritten::post(const Voucher& voucher) {
  begin_and_insert(voucher);
  const auto giver = change_balance(-voucher.amount, voucher.giver);
  const auto taker = change_balance(voucher.amount, voucher.taker);
  insert_entries(voucher);
  commit();
  return giver + taker;
}

void HandWritten::begin_and_insert(const Voucher& voucher) {
  PGconn* connection = connection_.get();
  require(PQenterPipelineMode(connection) == 1, connection);
  require(PQsendQueryPrepared(connection, "begin", 0, nullptr, nullptr, nullptr, kTextFormat) == 1,
          connection);
  const auto id = binary(voucher.id);
  const std::array values{bytes(id), kMemo};
  const std::array lengths{8, 0};
  const std::array formats{kBinaryFormat, kTextFormat};
  require(PQsendQueryPrepared(connection, "voucher", 2, values.data(), lengths.data(),
                              formats.data(), kTextFormat) == 1,
          connection);
  require(PQpipelineSync(connection) == 1, connection);
  for (int step = 0; step < 2; ++step) {
    const ResultPtr result(PQgetResult(connection));
    require(PQresultStatus(result.get()) == PGRES_COMMAND_OK, connection);
    const ResultPtr end(PQgetResult(connection));
    require(end == nullptr, connection);
  }
  const ResultPtr sync(PQgetResult(connection));
  require(PQresultStatus(sync.get()) == PGRES_PIPELINE_SYNC, connection);
  require(PQexitPipelineMode(connection) == 1, connection);
}

std::int64_t HandWritten::change_balance(std::int64_t amount, std::int64_t account) {
  const std::array numbers{binary(amount), binary(account)};
  const std::array values{bytes(numbers[0]), bytes(numbers[1])};
  const std::array lengths{8, 8};
  const std::array formats{kBinaryFormat, kBinaryFormat};
  const ResultPtr result(PQexecPrepared(connection_.get(), "balance", 2, values.data(),
                                        lengths.data(), formats.data(), kTextFormat));
  require(PQresultStatus(result.get()) == PGRES_TUPLES_OK && PQntuples(result.get()) == 1,
          connection_.get());
  return std::strtoll(PQgetvalue(result.get(), 0, 0), nullptr, 10);
}

void HandWritten::insert_entries(const Voucher& voucher) {
  const std::array numbers{binary(voucher.id), binary(voucher.giver), binary(-voucher.amount),
                           binary(voucher.taker), binary(voucher.amount)};
  std::array<const char*, 5> values{};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = bytes(numbers[i]);
  const std::array lengths{8, 8, 8, 8, 8};
  const std::array formats{kBinaryFormat, kBinaryFormat, kBinaryFormat, kBinaryFormat,
                           kBinaryFormat};
  const ResultPtr result(PQexecPrepared(connection_.get(), "entries", 5, values.data(),
                                        lengths.data(), formats.data(), kTextFormat));
  require(PQresultStatus(result.get()) == PGRES_COMMAND_OK, connection_.get());
}

void HandWritten::commit() {
  const ResultPtr result(
      PQexecPrepared(connection_.get(), "commit", 0, nullptr, nullptr, nullptr, kTextFormat));
  require(std::string_view(PQcmdStatus(result.get())) == "COMMIT", connection_.get());
}

}  // namespace carrel::bench
