// A session over the two PostgreSQL clusters of tools/test-servers, with a database of this
// process's own on each: account (customer, bucket, balance), rows spread by the customer's bucket.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "carrel/drivers/postgres.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/servers.h"

namespace carrel::test {

inline PostgresOptions cluster(const std::string& shard) {
  return {.port = server_port(shard + "_PORT"),
          .password = server_setting("PASSWORD"),
          .grace = std::chrono::seconds(10)};  // the machine may be busy
}

// One shard: a fresh database, the driver to it and its pool.
class Shard {
 public:
  explicit Shard(const std::string& name, std::uint16_t port = 0)
      : place_(postgres_driver(cluster(name)), "create database " + own_name(),
               "drop database " + own_name() + " with (force)"),
        options_(with_database(cluster(name), port)),
        driver_(postgres_driver(options_)),
        direct_(postgres_driver(with_database(cluster(name), 0))),
        pool_({.name = name, .size_max = 4, .maintain_every = {}}, *driver_) {
    const auto connection = direct_->connect({});
    connection->execute(
        "create table account (customer text, bucket int not null, balance bigint not null, "
        "primary key (customer))");
    connection->execute("create table carrel_decision (name text primary key)");
  }

  [[nodiscard]] Pool& pool() noexcept { return pool_; }
  // Past whatever lies between the pool and the server.
  [[nodiscard]] std::unique_ptr<Connection> open() { return direct_->connect({}); }
  [[nodiscard]] std::int64_t number(const std::string& sql) {
    return open()->execute(sql).one().get<std::int64_t>(0);
  }
  [[nodiscard]] std::int64_t prepared() {
    return number("select count(*) from pg_prepared_xacts where database = current_database()");
  }

 private:
  static PostgresOptions with_database(PostgresOptions options, std::uint16_t port) {
    options.database = own_name();
    if (port != 0) options.port = port;
    return options;
  }

  const OwnPlace place_;
  const PostgresOptions options_;
  const std::unique_ptr<Driver> driver_;
  const std::unique_ptr<Driver> direct_;
  Pool pool_;
};

constexpr std::size_t kBuckets = 64;

inline Shards half_and_half(const RequestLocal<ShardKey>& key) {
  return {.buckets = kBuckets,
          .ranges = {{0, kBuckets / 2 - 1, "a"}, {kBuckets / 2, kBuckets - 1, "b"}},
          .key = [&key] { return key.find(); }};
}

}  // namespace carrel::test
