#include "ledger/store/book_marker.h"

#include "carrel/base/error.h"

namespace carrel::ledger {

Book BookMarker::current() {
  if (const Book* book = book_.find()) return *book;
  throw Error("no_marker", "no book is bound in the current scope");
}

std::optional<std::string_view> BookMarker::find_name() noexcept {
  const Book* book = book_.find();
  if (book == nullptr) return std::nullopt;
  return to_string(*book);
}

}  // namespace carrel::ledger
