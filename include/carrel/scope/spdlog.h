// Fields of the current scope in spdlog's records.
//
//   auto formatter = std::make_unique<spdlog::pattern_formatter>();
//   add_scope_flags(*formatter);
//   add_request_local_flag<'K'>(*formatter, tenant);
//   formatter->set_pattern("%T %l [%Q %q %K] %v");
//   logger->set_formatter(std::move(formatter));
//   logger->info("ok");  // 12:01:02 info [GET /orders 4bf92f35... acme] ok
//
// %Q is the scope's name, %q its trace id, %J the milliseconds since it was opened; "-" outside any
// scope. The letters are free in spdlog 1.10's own patterns.
//
// Use it with loggers that format where they are called. An async logger formats on its own thread,
// which is in no scope: put the fields into the message there (scope_fields()).
//
// Threads: as the formatter. Lifetime: a request-local outlives the formatter that has a flag of
// it. Errors: none of its own; outside a scope nothing is thrown. Needs spdlog, and only this
// header does.
#pragma once

#include <spdlog/pattern_formatter.h>

#include <chrono>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"

namespace carrel {

namespace scope {

inline void append_field(spdlog::memory_buf_t& to, std::string_view text) {
  to.append(text.data(), text.data() + text.size());
}

class NameFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&, spdlog::memory_buf_t& to) override {
    const Scope* const scope = Scope::current();
    append_field(to, scope == nullptr || scope->name().empty() ? "-" : scope->name());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<NameFlag>();
  }
};

class TraceFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&, spdlog::memory_buf_t& to) override {
    const Scope* const scope = Scope::current();
    append_field(to, scope == nullptr ? "-" : scope->trace().trace_id_text());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<TraceFlag>();
  }
};

class AgeFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&, spdlog::memory_buf_t& to) override {
    const Scope* const scope = Scope::current();
    if (scope == nullptr) return append_field(to, "-");
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(scope->age());
    append_field(to, std::to_string(age.count()));
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<AgeFlag>();
  }
};

// T is anything that spdlog's fmt can write.
template <class T, Flow F>
class RequestLocalFlag final : public spdlog::custom_flag_formatter {
 public:
  explicit RequestLocalFlag(const RequestLocal<T, F>& variable) : variable_(variable) {}
  void format(const spdlog::details::log_msg&, const std::tm&, spdlog::memory_buf_t& to) override {
    if (const T* const value = variable_.find()) {
      fmt::format_to(std::back_inserter(to), "{}", *value);
    } else {
      append_field(to, "-");
    }
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<RequestLocalFlag>(variable_);
  }

 private:
  const RequestLocal<T, F>& variable_;
};

}  // namespace scope

// Before set_pattern().
inline void add_scope_flags(spdlog::pattern_formatter& formatter) {
  formatter.add_flag<scope::NameFlag>('Q');
  formatter.add_flag<scope::TraceFlag>('q');
  formatter.add_flag<scope::AgeFlag>('J');
}

// `Letter` shows the variable's value in the current scope, "-" where there is none.
template <char Letter, class T, Flow F>
void add_request_local_flag(spdlog::pattern_formatter& formatter,
                            const RequestLocal<T, F>& variable) {
  formatter.add_flag<scope::RequestLocalFlag<T, F>>(Letter, variable);
}

// "GET /orders 4bf92f3577b34da6a3ce929d0e0e4736", "-" outside any scope: to be put into a message.
[[nodiscard]] inline std::string scope_fields() {
  const Scope* const scope = Scope::current();
  if (scope == nullptr) return "-";
  return std::string(scope->name()) + " " + scope->trace().trace_id_text();
}

}  // namespace carrel
