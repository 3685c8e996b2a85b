// BookMarker: the one request-local that says which book a request works on.
//
// Bound by the edge (the HTTP entry filter, a tool's main loop) and by nothing below it; read by
// the choice of rules and by the session's table routing.
//
//   auto bound = marker.bind(Book::merchant);          // for the rest of this C++ scope
//   marker.current() == Book::merchant;
//
// Threads: safe from any; the value belongs to the current carrel::Scope.
// Errors: current() throws carrel::Error "no_marker" where none is bound, outside any scope too.
#pragma once

#include <optional>
#include <string_view>

#include "carrel/scope/request_local.h"
#include "ledger/domain/book.h"

namespace carrel::ledger {

class BookMarker {
 public:
  BookMarker() : book_("book") {}

  [[nodiscard]] auto bind(Book book) { return book_.bind(book); }
  [[nodiscard]] Book current();
  // The name for table routing; nothing without a scope or a binding.
  [[nodiscard]] std::optional<std::string_view> find_name() noexcept;

 private:
  RequestLocal<Book> book_;
};

}  // namespace carrel::ledger
