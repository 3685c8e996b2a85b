#include "bench/db/voucher_session.h"

#include "carrel/scope/scope.h"

namespace carrel::bench {
namespace {

constexpr std::string_view kVoucher = "insert into {voucher} (id, memo) values ($1, $2)";
constexpr std::string_view kBalance =
    "update {account} set balance = balance + $1 where id = $2 returning balance";
constexpr std::string_view kEntries =
    "insert into {entry} (voucher, account, amount) values ($1, $2, $3), ($1, $4, $5)";

std::vector<Route> routes(Pool& pool) {
  return {{"merchant", &pool, {{"account", "bench.none"}}},
          {"consumer",
           &pool,
           {{"account", "bench.account"}, {"voucher", "bench.voucher"}, {"entry", "bench.entry"}}}};
}

}  // namespace

VoucherSession::VoucherSession(Driver& driver, std::size_t connections)
    : pool_({.name = "bench",
             .size_max = connections,
             .acquire_max = std::chrono::seconds(60),
             .size_min = connections},
            driver),
      session_({.routes = routes(pool_), .marker = [this]() -> std::optional<std::string_view> {
                  const auto* book = book_.find();
                  if (book == nullptr) return std::nullopt;
                  return *book;
                }}) {}

std::int64_t VoucherSession::post(const Voucher& voucher) {
  const Scope scope({.name = "POST /vouchers"});
  book_.set("consumer");
  return session_.transaction([&] {
    session_.execute(kVoucher, voucher.id, kMemo);
    const auto giver = session_.execute(kBalance, -voucher.amount, voucher.giver);
    const auto taker = session_.execute(kBalance, voucher.amount, voucher.taker);
    session_.execute(kEntries, voucher.id, voucher.giver, -voucher.amount, voucher.taker,
                     voucher.amount);
    return giver.one().get<std::int64_t>(0) + taker.one().get<std::int64_t>(0);
  });
}

void VoucherSession::post_as_batch(const Voucher& voucher) {
  const Scope scope({.name = "POST /vouchers"});
  book_.set("consumer");
  Batch batch;
  batch.add(kVoucher, voucher.id, kMemo)
      .add(kBalance, -voucher.amount, voucher.giver)
      .add(kBalance, voucher.amount, voucher.taker)
      .add(kEntries, voucher.id, voucher.giver, -voucher.amount, voucher.taker, voucher.amount);
  session_.batch(batch);
}

int VoucherSession::server_process() {
  const Scope scope({.name = "server process"});
  book_.set("consumer");
  return session_.execute("select pg_backend_pid()").one().get<int>(0);
}

}  // namespace carrel::bench
