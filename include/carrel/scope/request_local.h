// RequestLocal: a variable with one value per request.
//
// Use it for what belongs to the request being served: its caller, its tenant, its transaction.
// Declare it once (a member of a long-lived object, or at namespace scope); it is only a name, the
// values live in the Scopes. Not for caches of a thread (ThreadLocal), and not for what a function
// may as well take as an argument.
//
//   RequestLocal<std::string> tenant{"tenant"};
//   {
//     Scope scope({.name = "GET /orders"});
//     tenant.set("acme");
//     list_orders();                            // reads tenant.get() == "acme"
//     const auto as_admin = tenant.bind("admin");   // until the guard goes; then "acme" again
//   }
//
// What a Snapshot takes to other threads is decided here: `RequestLocal<T, Flow::none>` stays,
// Flow::copy (the default where T copies) goes as a copy, Flow::share as the same object, which
// everybody then sees as const unless is_concurrent<T> says that several threads may change it.
//
// Threads: the variable itself may be used by all threads; each sees its own current scope.
// Lifetime: references are valid until remove(), or until the scope closes; under Flow::share, and
// where T cannot be assigned, also until set(). A guard ends in the scope that it was made in; a
// guard in a destroyed coroutine frame restores nothing (the value stays until its scope closes),
// any other misuse stops the program. A variable that dies before a scope leaves its value there,
// unreachable, until the scope closes. Errors: outside any scope get, set, remove and bind throw
// NoScope, which names the variable; find() never throws. get() of a variable without an initial
// value throws Error "no_value". An initialiser that throws leaves everything as it was; one that
// reads its own variable gets Error "recursive_initialiser"; if it sets its own variable, what it
// set stays, and what it returns is dropped.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "carrel/base/error.h"
#include "carrel/scope/internal/value_cell.h"
#include "carrel/scope/scope.h"

namespace carrel {

// A request-local was used outside any scope. The code is "no_scope".
class NoScope : public Error {
 public:
  explicit NoScope(std::string_view variable,
                   std::source_location where = std::source_location::current());
};

template <class T>
struct RequestLocalOptions {
  std::string name = {};
  std::function<T()> initial = {};  // empty: T{} where T can be made so, else there is none
};

namespace scope {

// What does not depend on T.
class Variable {
 public:
  explicit Variable(std::string name) : key_(ValueMap::next_key()), name_(std::move(name)) {}

  [[nodiscard]] std::string_view name() const noexcept { return name_; }

 protected:
  class Initialising;
  // This scope's value, if that can be told without asking anything: see Here.
  [[nodiscard]] [[gnu::always_inline]] void* find_quickly() const noexcept {
    return here.homes->find(key_);
  }
  // This scope's cell; nullptr if there is none, or no scope.
  [[nodiscard]] Cell* find_slowly() const noexcept;
  // The scope to write to. Throws NoScope.
  [[nodiscard]] Scope& require_scope() const {
    Scope* const scope = here.scope;
    if (scope == nullptr) [[unlikely]]
      throw_no_scope();
    Access::check_thread(*scope);
    return *scope;
  }
  [[noreturn]] void throw_no_scope() const;
  [[noreturn]] void throw_no_value() const;

  std::uint64_t key_;  // first: all that a hit reads of the variable
  std::string name_;
};

// Marks that an initialiser of this variable runs in this scope, on this thread.
class [[nodiscard]] Variable::Initialising {
 public:
  Initialising(const Variable& variable, const Scope& scope);
  Initialising(const Initialising&) = delete;
  Initialising& operator=(const Initialising&) = delete;
  ~Initialising();

 private:
  const Variable& variable_;
  const Scope& scope_;
  const Initialising* outer_;
};

// The type-free part of a bind guard.
class BindGuard {
 public:
  BindGuard(const BindGuard&) = delete;
  BindGuard& operator=(const BindGuard&) = delete;

 protected:
  BindGuard(Scope& scope, Cell* bound, const Variable& variable)
      : scope_(&scope), bound_(bound), key_(bound->key), variable_(&variable) {
    if (Access::is_carried(scope) || !Access::values(scope).insert_quickly(bound)) [[unlikely]]
      bind_slowly();
  }
  ~BindGuard() = default;

  // The usual case: this thread's own scope, with nothing before the bound value or in its place.
  // Takes that out of the map; false where something stands in the way.
  [[nodiscard]] bool take_out_quickly() noexcept {
    return !rest_ && here.scope == scope_ && Access::values(*scope_).take_out_quickly(key_, bound_);
  }
  void unbind_slowly() noexcept;

  Scope* scope_;
  Cell* bound_;  // perhaps gone by the end: only compared

 private:
  // What most guards do not need.
  struct Rest {
    Cell* displaced = nullptr;    // what was there before
    std::shared_ptr<Scope> root;  // of a scope that coroutines carry: alive as long as the guard
  };
  void bind_slowly();

  std::uint64_t key_;
  const Variable* variable_;
  std::optional<Rest> rest_;
};

// Knows the value's type, and so at compile time what destroying it takes.
template <class ValueCell>
class [[nodiscard]] Bind : BindGuard {
 public:
  Bind(Scope& scope, Cell* bound, const Variable& variable) : BindGuard(scope, bound, variable) {}
  Bind(const Bind&) = delete;
  Bind& operator=(const Bind&) = delete;
  ~Bind() {
    if (take_out_quickly()) [[likely]] {
      ValueCell::destroy_taken_out(*bound_, Access::values(*scope_).arena());
    } else {
      unbind_slowly();
    }
  }
};

// The type-free part of a checked reference.
class BorrowCheck {
 public:
  BorrowCheck(const Scope& scope, std::string_view variable) noexcept
      : scope_(&scope), entries_(Access::entries(scope)), variable_(variable) {}
  // Stops the program when the scope has been left since, or suspended.
  void check() const noexcept;

 private:
  const Scope* scope_;
  std::uint64_t entries_;
  std::string_view variable_;
};

}  // namespace scope

// Borrowed: a reference to a request's value that must not be held across a suspension.
//
// In a coroutine, what get() returned before a co_await may be gone after it: a timer of the same
// request may have removed it. A Borrowed finds that out at its next use, instead of much later.
//
//   const auto cart = carts.borrow();
//   cart->add(item);
//   co_await store(*cart);
//   cart->clear();                  // stops the program: borrow() again after each co_await
//
// Threads, lifetime: used in the scope and between the suspensions where it was made; the variable
// outlives it. Errors: any other use is a bug, and stops the program with the variable's name.
template <class T>
class [[nodiscard]] Borrowed {
 public:
  Borrowed(T& value, const Scope& scope, std::string_view variable) noexcept
      : value_(&value), check_(scope, variable) {}
  [[nodiscard]] T& operator*() const noexcept {
    check_.check();
    return *value_;
  }
  [[nodiscard]] T* operator->() const noexcept { return &**this; }

 private:
  T* value_;
  scope::BorrowCheck check_;
};

template <class T, Flow F = kDefaultFlow<T>>
class RequestLocal : private scope::Variable {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "T is a plain object type");
  static_assert(F != Flow::copy || std::copy_constructible<T>,
                "Flow::copy needs a T that can be copied; Flow::none keeps the value where it is");

  using Cell = scope::ValueCell<T, F>;

 public:
  // T&, or const T& where other threads may be reading the same object.
  using Reference = typename Cell::Reference;
  using Pointer = std::remove_reference_t<Reference>*;
  // Restores the variable when it goes: to the outer value, or to no value.
  using Bind = scope::Bind<Cell>;

  explicit RequestLocal(std::string_view name) : Variable(std::string(name)) {}
  explicit RequestLocal(RequestLocalOptions<T> options)
      : Variable(std::move(options.name)), initial_(std::move(options.initial)) {}
  RequestLocal(const RequestLocal&) = delete;
  RequestLocal& operator=(const RequestLocal&) = delete;

  // The current scope's value; the initial value is made if there is none.
  [[nodiscard]] Reference get() const {
    if (void* const value = find_quickly()) [[likely]]
      return *static_cast<Pointer>(value);
    return get_slowly();
  }

  // As get(), for code with suspensions: see Borrowed.
  [[nodiscard]] Borrowed<std::remove_reference_t<Reference>> borrow() const {
    Reference value = get();
    return {value, *Scope::current(), name_};
  }

  // The current scope's value; nullptr if there is none, or no scope. Never makes one.
  [[nodiscard]] Pointer find() const noexcept {
    if (void* const value = find_quickly()) return static_cast<Pointer>(value);
    scope::Cell* const cell = find_slowly();
    return cell == nullptr ? nullptr : &Cell::value(*cell);
  }

  // Assigns the value, or makes it. Where it is shared, or cannot be assigned, a new one takes its
  // place, and the old one's destructor already finds that.
  void set(T value) const {
    if constexpr (Cell::kAssignable) {
      if (void* const present = find_quickly()) {
        *static_cast<T*>(present) = std::move(value);
        return;
      }
    }
    Scope& scope = require_scope();
    scope::ValueMap& values = scope::Access::values(scope);
    if constexpr (Cell::kAssignable) {
      if (scope::Cell* const present = values.find(key_)) {
        Cell::value(*present) = std::move(value);
        return;
      }
    }
    scope::Cell* const fresh =
        Cell::make(values.arena(), key_, [&]() -> T { return std::move(value); });
    if (scope::Cell* const present = Cell::kAssignable ? nullptr : values.find(key_)) {
      values.replace(present, fresh);
    } else {
      insert(values, fresh);
    }
  }

  // Destroys the value; the initial value is then made anew by the next get(). False if there was
  // none. Under a guard, the value that the guard restores stays.
  bool remove() const { return scope::Access::values(require_scope()).remove(key_); }

  // Sets the value until the guard goes. Guards of one variable end in reverse order.
  [[nodiscard]] Bind bind(T value) const {
    Scope& scope = require_scope();
    scope::ValueMap& values = scope::Access::values(scope);
    return Bind(scope, Cell::make(values.arena(), key_, [&]() -> T { return std::move(value); }),
                *this);
  }

  using Variable::name;

 private:
  // Cold: gcc else jumps on the path of every hit.
  [[gnu::noinline]] [[gnu::cold]] Reference get_slowly() const {
    if (scope::Cell* const cell = find_slowly()) return Cell::value(*cell);
    return make_initial();
  }

  static scope::Cell& insert(scope::ValueMap& values, scope::Cell* cell) {
    try {
      values.insert(cell);
    } catch (...) {
      values.discard(cell);
      throw;
    }
    return *cell;
  }

  Reference make_initial() const {
    Scope& scope = require_scope();
    scope::ValueMap& values = scope::Access::values(scope);
    if constexpr (!std::default_initializable<T>) {
      if (!initial_) throw_no_value();
    }
    const Initialising guard(*this, scope);
    scope::Cell* const cell = Cell::make(values.arena(), key_, [this]() -> T {
      if constexpr (std::default_initializable<T>) {
        if (!initial_) return T();
      }
      return initial_();
    });
    if (scope::Cell* const own = values.find(key_)) {  // the initialiser has set it
      values.discard(cell);
      return Cell::value(*own);
    }
    return Cell::value(insert(values, cell));
  }

  std::function<T()> initial_;
};

}  // namespace carrel
