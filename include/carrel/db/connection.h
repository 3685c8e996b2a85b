// Connection: the contract that every database driver fulfils; Driver: what makes them.
//
// Applications use Session, which finds the connection of the current transaction by itself. Use a
// Connection directly in tools that need one database and no scope:
//
//   auto driver = sqlite_driver({.file = "data/consumer.db"});
//   auto connection = driver->connect({});
//   connection->begin({});
//   connection->execute("insert into t values ($1)", std::array{Value(7)});
//   connection->commit();
//
// Placeholders are $1, $2, ... on every database; one may be used several times.
//
// Threads: used by one thread at a time; only cancel() may be called from another.
// Lifetime: a Driver outlives its connections; destroying a connection rolls back.
// Errors: SqlError (see sql_error.h). After any error in_transaction() and broken() tell the truth.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/base/clock.h"
#include "carrel/db/result.h"
#include "carrel/db/value.h"

namespace carrel {

// No deadline at all. Deadlines are points of the steady clock.
inline constexpr Clock::Steady kNoDeadline = Clock::Steady::max();

enum class Isolation : std::uint8_t {
  standard,  // what the database does when nothing is said
  read_committed,
  repeatable_read,
  serializable
};

enum class Access : std::uint8_t { read_write, read_only };

// How a prepared transaction ends.
enum class Prepared : std::uint8_t { commit, roll_back };

struct BeginOptions {
  Isolation isolation = Isolation::standard;
  Access access = Access::read_write;
  bool deferrable = false;  // PostgreSQL: a serializable read-only transaction waits to be safe
};

// Where statements run, within the database that a connection was opened to. An empty one: as the
// session started.
struct Place {
  std::string role = {};    // SET ROLE
  std::string schema = {};  // PostgreSQL: the search_path; MariaDB, which calls it a database: USE
  friend bool operator==(const Place&, const Place&) = default;
};

struct ConnectOptions {
  Access access = Access::read_write;
  Clock::Steady deadline = kNoDeadline;
};

// What a statement leaves in its session once it, and its transaction, have ended, for reset() to
// clean up: the greater, the more. Said by a caller who knows what the functions do that it calls:
//
//   session.execute({"select post_voucher($1)", Leaves::nothing}, id);
//
// It speaks for functions and procedures alone. What the text itself shows (SET, a temporary table)
// counts all the same, and so does what the driver notices later; a promise that is broken in
// another way is not found out, and the next borrower finds what was left.
//
// A function that changes the role or the search path leaves `anything`: say that of it, or leave
// it unsaid. The servers do not tell of a change between two ordinary roles, nor PostgreSQL of one
// of the path (up to version 17; from 18 on it tells of it but in a Place with a schema), and what
// follows in a Place would run as somebody else or in other tables.
enum class Leaves : std::uint8_t {
  unsaid,   // judged by the text: a call of a function that the driver does not know is `anything`
  nothing,  // settings, locks and the rest are as they were
  locks,    // at most locks held by the session: GET_LOCK, pg_advisory_lock
  anything  // also where the text does not show it: by a trigger, a view, a default
};

// A statement's text. `key`, where not 0, stands for this text in every connection's cache of
// prepared statements, which then need not hash it: equal keys promise equal texts.
struct Statement {
  Statement(std::string_view sql, std::uint64_t cache_key = 0) noexcept
      : text(sql), key(cache_key) {}
  Statement(std::string_view sql, Leaves said) noexcept : text(sql), leaves(said) {}
  Statement(const char* sql) noexcept : text(sql) {}
  Statement(const std::string& sql) noexcept : text(sql) {}

  std::string_view text;
  std::uint64_t key = 0;
  Leaves leaves = Leaves::unsaid;
};

struct BatchItem {
  Statement statement;
  std::span<const Value> parameters;
};

// Rows for one table, row after row: values.size() is a multiple of columns.size().
struct BulkRows {
  std::string_view table;
  std::span<const std::string_view> columns;
  std::span<const Value> values;
};

// How a database writes what is not SQL's common core; the slot scanner needs it.
struct SqlDialect {
  bool backslash_escapes = false;  // 'it\'s'
  bool dollar_quotes = false;      // $tag$ text $tag$
  bool nested_comments = false;    // /* a /* b */ c */
  bool hash_comments = false;      // # to the end of the line
  bool bracket_names = false;      // [a name]
  bool escape_strings = false;     // E'it\'s'
};

class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  // Runs one statement. Outside a transaction it commits by itself.
  Result execute(const Statement& statement, std::span<const Value> parameters = {});
  // Runs several in order, in as few round trips as the database can; stops at the first error. Not
  // atomic by itself: begin() before it.
  std::vector<Result> batch(std::span<const BatchItem> items);

  // The same, then commit(), all in one round trip where the database can. If it throws, see
  // commit(); an error of a statement leaves the transaction open.
  std::vector<Result> batch_and_commit(std::span<const BatchItem> items);
  // Inserts many rows by the fastest means there is, all of them or none; returns how many. Outside
  // a transaction it commits by itself, and throws as commit().
  std::int64_t load(const BulkRows& rows);

  // BEGIN may be put off and sent along with the first statement, which then reports its errors.
  void begin(const BeginOptions& options);
  // Returns: committed. Throws with in_doubt(): nobody knows yet. Throws without: rolled back.
  void commit();
  // Never throws for a transaction that is gone already; a connection that cannot roll back is
  // broken() afterwards.
  void rollback() noexcept;

  // Two-phase commit, where the database has it (PostgreSQL; others: "sql.unsupported"). prepare()
  // ends the transaction here and keeps it at the server under a name, with its locks, through
  // crashes, until somebody finishes it. Letters, digits and "._:/-" in the name, at most 199.
  // Throws as commit(): when in_doubt(), it may be prepared.
  void prepare(std::string_view name);
  // By any connection to the same database, outside a transaction. False: there is none (any more)
  // of that name. "sql.busy": somebody else is at it.
  bool finish_prepared(std::string_view name, Prepared end);

  // Savepoints are numbered by depth, 1 first.
  void savepoint(int depth);
  void rollback_to(int depth);  // the savepoint is gone afterwards; also once the deadline passed
  void release(int depth);

  // Where all that follows runs, until changed or reset(). Outside a transaction. Sent along with
  // what comes next, which then reports its errors ("sql.no_role", "sql.no_database",
  // "sql.access_denied"), and only where the session is not known to be there already. Names are
  // quoted; one that the server would cut short, or take for something else, is
  // "sql.invalid_place". "sql.unsupported": the database has no such places (Driver::Traits).
  void set_place(const Place& place);

  // Holds for every call until changed. What is not finished by then ends with "sql.deadline".
  // Undoing (rollback, rollback_to, reset) is tried all the same, for a moment that the driver
  // sets: to a server that does not answer by then, the connection is broken().
  void set_deadline(Clock::Steady deadline) noexcept { deadline_ = deadline; }
  [[nodiscard]] Clock::Steady deadline() const noexcept { return deadline_; }

  // From any thread: ends the running statement, which throws "sql.cancelled". Nothing is kept for
  // later when none runs.
  virtual void cancel() noexcept = 0;

  [[nodiscard]] virtual bool in_transaction() const noexcept = 0;
  // Must not be used any more, only destroyed.
  [[nodiscard]] virtual bool broken() const noexcept = 0;

  // Undoes what the borrower left behind (transaction, settings, temporary tables, locks) so that
  // the next one finds the connection as new; false where that failed, or the connection is broken.
  // No round trip when clean.
  [[nodiscard]] virtual bool reset() noexcept = 0;
  // Asks the database for a sign of life.
  [[nodiscard]] virtual bool validate() noexcept = 0;

  // For pools: the time spent in calls that reach the database, from now until stop_measuring().
  void start_measuring() noexcept {
    measuring_ = true;
    busy_ = {};
  }
  std::chrono::nanoseconds stop_measuring() noexcept {
    measuring_ = false;
    return busy_;
  }

  // For leak reports: counts one up when such a call begins and again when it ends, so that another
  // thread can tell what the borrower does. Outlives the connection; null: counts nothing.
  void count_steps_in(std::atomic<std::uint64_t>* steps) noexcept { steps_ = steps; }

  // For pools: what may still have a socket once the connection is closed, such as a request to
  // cancel that was not answered; expired when it has none.
  [[nodiscard]] virtual std::weak_ptr<const void> remains() const noexcept { return {}; }

  // Requests that had to wait for an answer so far.
  [[nodiscard]] virtual std::uint64_t round_trips() const noexcept { return 0; }

 protected:
  virtual Result do_execute(const Statement& statement, std::span<const Value> parameters) = 0;
  virtual std::vector<Result> do_batch(std::span<const BatchItem> items);
  virtual std::vector<Result> do_batch_and_commit(std::span<const BatchItem> items);
  virtual std::int64_t do_load(const BulkRows& rows);
  virtual void do_begin(const BeginOptions& options) = 0;
  virtual void do_commit() = 0;
  virtual void do_rollback() noexcept = 0;
  virtual void do_set_place(const Place& place);
  virtual void do_prepare(std::string_view name);
  virtual bool do_finish_prepared(std::string_view name, Prepared end);
  // "savepoint s1", "rollback to savepoint s1", "release savepoint s1"
  virtual void do_savepoint_command(std::string_view sql);

  // Runs `load`, which sends several statements, so that all of them count or none: in the caller's
  // transaction, or in one of its own.
  std::int64_t all_or_none(const std::function<std::int64_t()>& load);
  // Throws "sql.deadline" when it has passed.
  void require_time(std::string_view statement) const;
  // Until when undoing and cleaning up may take: with a server, until the deadline, and a little
  // longer where it has passed or is about to. Whoever cannot by then gives the connection up.
  [[nodiscard]] virtual Clock::Steady upkeep_deadline() const noexcept { return kNoDeadline; }

  // For reset() and validate(), where they reach the database: see db/busy.h.
  class Busy;

 private:
  void commit_in_time();
  // One thread writes, so that no locked instruction is needed; relaxed, since nothing hangs on it.
  void step() noexcept {
    steps_->store(steps_->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  Clock::Steady deadline_ = kNoDeadline;
  bool measuring_ = false;
  std::atomic<std::uint64_t>* steps_ = nullptr;
  std::chrono::nanoseconds busy_{};
};

class Driver {
 public:
  // What a pool must know about this database.
  struct Traits {
    std::string_view name;              // "sqlite", "postgres", "mariadb"
    bool single_writer = false;         // one connection at a time may write (SQLite)
    bool remote = false;                // a server that can go away
    std::size_t pool_size_default = 8;  // connections, the writer included
    SqlDialect dialect = {};
    bool places = false;  // has Connection::set_place
  };

  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  virtual ~Driver() = default;

  [[nodiscard]] virtual const Traits& traits() const noexcept = 0;
  [[nodiscard]] virtual std::unique_ptr<Connection> connect(const ConnectOptions& options) = 0;
  // How many connections the server would give us; nothing where it has no limit. Called once, when
  // a pool starts.
  [[nodiscard]] virtual std::optional<std::size_t> connections_max() { return std::nullopt; }
};

}  // namespace carrel
