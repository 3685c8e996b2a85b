// Fixture verbs for tests on real files: both books open in a temporary folder, a ledger on them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/base/clock.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "ledger/domain/facts_of.h"
#include "ledger/posting/ledger.h"
#include "ledger/store/store.h"
#include "ledger/temporary_folder.h"

namespace carrel::ledger::testing {

class OpenBooks {
 public:
  OpenBooks() { open(); }

  // Ends and begins again on the same files, as a restart does.
  void reopen() {
    close();
    open();
  }
  void close() {
    ledger_.reset();
    store_.reset();
  }
  void open() {
    store_ = open_store({.folder = folder_.path(),
                         .readers = 2,
                         .synchronous = SqliteSync::off,  // the tests do not pull the plug
                         .clock = &clock_});
    use(LedgerRules{});
  }
  void use(const LedgerRules& rules) {
    ledger_ = std::make_unique<Ledger>(*store_, LedgerOptions{.rules = rules, .clock = &clock_});
  }

  [[nodiscard]] std::string file(Book book) const {
    return (folder_.path() / (std::string(to_string(book)) + ".db")).string();
  }
  [[nodiscard]] Store& store() { return *store_; }
  [[nodiscard]] Ledger& ledger() { return *ledger_; }
  [[nodiscard]] ManualClock& clock() { return clock_; }

  // Runs f as a request on a book does.
  template <class F>
  decltype(auto) in(Book book, F&& f) {
    ScopeOptions options;
    options.name = "test";
    const Scope scope(std::move(options));
    const auto bound = store_->book().bind(book);
    return std::forward<F>(f)();
  }

  Account open_account(Book book, std::string_view ref, OpenAccountRequest request = {}) {
    const AccountRef parsed = *AccountRef::parse(ref);
    request.party = parsed.party();
    request.subject = parsed.subject();
    return in(book, [&] { return ledger_->open_account(request).value().account; });
  }
  Outcome<PostedVoucher> post(Book book, VoucherRequest request, std::string key) {
    request.key = std::move(key);
    return in(book, [&] { return ledger_->post_voucher(request); });
  }
  Outcome<PostedVoucher> top_up(Book book, std::string_view to, std::int64_t minor,
                                std::string key) {
    return post(book, voucher(VoucherKind::credit, {debit("house/1002", minor), credit(to, minor)}),
                std::move(key));
  }
  [[nodiscard]] std::int64_t balance(Book book, std::string_view ref) {
    return in(book, [&] {
      return ledger_->find_account({.ref = *AccountRef::parse(ref)}).value().balance;
    });
  }
  [[nodiscard]] CheckReport check(Book book, const CheckOptions& options = {}) {
    return in(book, [&] { return ledger_->check(options); });
  }
  [[nodiscard]] std::int64_t count(Book book, const std::string& slot) {
    return in(book, [&] {
      return store_->session()
          .execute("select count(*) from {" + slot + "}")
          .one()
          .get<std::int64_t>(0);
    });
  }

 private:
  TemporaryFolder folder_;
  ManualClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
};

// What a report says, one line a violation.
inline std::string text(const CheckReport& report) {
  std::string lines;
  for (const Violation& each : report.violations)
    lines += each.check + ": " + each.row + " " + each.detail + "\n";
  return lines;
}

}  // namespace carrel::ledger::testing
