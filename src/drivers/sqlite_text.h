// What SQLite is given of a statement's text: the same with placeholders of its own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace carrel::drivers {

struct SqliteText {
  std::string sql;
  std::vector<int> parameters;  // SQLite's parameter i + 1 takes our $n: n is parameters[i]
  std::size_t parameters_max = 0;
  bool strange = false;  // holds placeholders that are not written $1, $2, ...
};

// To SQLite `$1` is a name, and so is `?1`: each is looked for in a list of all of them when it is
// read and again when it is compiled. For tens of thousands that takes half a minute, and nothing
// ends it. A bare `?` has no name. What is used more than once must be known as the same (`select
// amount / $1 ... order by amount / $1` in a union) and has a name: the first thousand such do; of
// further ones each use is a parameter of its own.
[[nodiscard]] SqliteText text_for_sqlite(std::string_view sql);

}  // namespace carrel::drivers
