#include "drivers/postgres/postgres_begin.h"

#include <vector>

namespace carrel::postgres {
namespace {

std::string text_of(const BeginOptions& options) {
  std::string sql = "begin";
  switch (options.isolation) {
    case Isolation::standard:
      break;
    case Isolation::read_committed:
      sql += " isolation level read committed";
      break;
    case Isolation::repeatable_read:
      sql += " isolation level repeatable read";
      break;
    case Isolation::serializable:
      sql += " isolation level serializable";
      break;
  }
  // Said either way, whatever default_transaction_read_only is.
  sql += options.access == Access::read_only ? " read only" : " read write";
  if (options.deferrable) sql += " deferrable";
  return sql;
}

constexpr std::size_t number_of(const BeginOptions& options) noexcept {
  return static_cast<std::size_t>(options.isolation) * 4 +
         static_cast<std::size_t>(options.access) * 2 + (options.deferrable ? 1 : 0);
}
static_assert(number_of({.isolation = Isolation::serializable,
                         .access = Access::read_only,
                         .deferrable = true}) == Begin::kCount - 1);

std::vector<Begin> all() {
  std::vector<Begin> ways;
  for (std::size_t number = 0; number < Begin::kCount; ++number) {
    const BeginOptions options{.isolation = static_cast<Isolation>(number / 4),
                               .access = static_cast<Access>(number / 2 % 2),
                               .deferrable = number % 2 == 1};
    ways.push_back({number, text_of(options), "b" + std::to_string(number)});
  }
  return ways;
}

}  // namespace

const Begin& begin_for(const BeginOptions& options) {
  static const auto ways = all();
  return ways[number_of(options)];
}

}  // namespace carrel::postgres
