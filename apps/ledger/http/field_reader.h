// FieldReader: takes the members of a JSON object and notes everything that is wrong with them, so
// that a client hears of all its mistakes at once.
//
//   JsonBody body(request.body);
//   FieldReader fields = body.fields();
//   const std::string party = fields.text("party");
//   const std::optional<std::int64_t> tier = fields.optional_number("tier");
//   fields.expect_no_more();                       // a misspelt member is an error, not ignored
//   if (std::optional<Problem> problem = body.problem()) return to_response(*problem);
//
// Threads: one at a time. Lifetime: the body outlives its readers.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/http/problem.h"

namespace carrel::ledger::http {

class FieldReader {
 public:
  // What a required member that is missing or wrong reads as does not matter: see problem().
  [[nodiscard]] std::string text(std::string_view name);
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view name);
  [[nodiscard]] std::optional<std::int64_t> optional_number(std::string_view name);
  [[nodiscard]] std::vector<std::string> texts(std::string_view name);    // an array of strings
  [[nodiscard]] std::vector<FieldReader> objects(std::string_view name);  // an array of objects

  // Notes that the member's value will not do.
  void reject(std::string_view name, std::string detail);
  void expect_no_more();

 private:
  friend class JsonBody;
  FieldReader(const boost::json::object* object, std::string path, std::vector<FieldError>& errors)
      : object_(object), path_(std::move(path)), errors_(&errors) {}

  const boost::json::value* take(std::string_view name);
  const boost::json::array* take_array(std::string_view name);

  const boost::json::object* object_;  // null: there is none to read, and that is noted already
  std::string path_;                   // "legs[1]." before the names of its members
  std::vector<FieldError>* errors_;
  std::vector<std::string_view> known_;  // names asked for; all of them literals
};

class JsonBody {
 public:
  // One JSON object, nested at most 8 deep; anything else is noted as "malformed_json".
  explicit JsonBody(std::string_view text);
  ~JsonBody();
  JsonBody(const JsonBody&) = delete;
  JsonBody& operator=(const JsonBody&) = delete;

  [[nodiscard]] FieldReader fields();

  // 400 "malformed_json" or "invalid_request" if anything was noted.
  [[nodiscard]] std::optional<Problem> problem() const;

 private:
  std::unique_ptr<boost::json::value> document_;
  std::string malformed_;  // why it is no JSON object; empty if it is one
  std::vector<FieldError> errors_;
};

}  // namespace carrel::ledger::http
