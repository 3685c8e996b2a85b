#include "ledger/http/field_reader.h"

#include <algorithm>
#include <boost/json.hpp>

namespace carrel::ledger::http {

namespace json = boost::json;

namespace {

constexpr std::size_t kDepthMax = 8;

json::string_view to_json(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

const json::value* FieldReader::take(std::string_view name) {
  known_.push_back(name);
  if (object_ == nullptr) return nullptr;
  const json::value* value = object_->if_contains(to_json(name));
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string FieldReader::text(std::string_view name) {
  auto value = optional_text(name);
  const bool absent = object_ != nullptr && (object_->if_contains(to_json(name)) == nullptr ||
                                             object_->at(to_json(name)).is_null());
  if (absent) reject(name, "is required");
  return std::move(value).value_or("");
}

std::optional<std::string> FieldReader::optional_text(std::string_view name) {
  const json::value* value = take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    reject(name, "must be a string");
    return std::nullopt;
  }
  return std::string(value->get_string());
}

std::optional<std::int64_t> FieldReader::optional_number(std::string_view name) {
  const json::value* value = take(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_int64()) {
    reject(name, "must be a whole number");
    return std::nullopt;
  }
  return value->get_int64();
}

const json::array* FieldReader::take_array(std::string_view name) {
  const json::value* value = take(name);
  if (value == nullptr || !value->is_array()) {
    if (object_ != nullptr) reject(name, value == nullptr ? "is required" : "must be an array");
    return nullptr;
  }
  return &value->get_array();
}

std::vector<std::string> FieldReader::texts(std::string_view name) {
  std::vector<std::string> found;
  const json::array* array = take_array(name);
  if (array == nullptr) return found;
  found.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    if ((*array)[i].is_string())
      found.emplace_back((*array)[i].get_string());
    else
      reject(std::string(name) + "[" + std::to_string(i) + "]", "must be a string");
  }
  return found;
}

std::vector<FieldReader> FieldReader::objects(std::string_view name) {
  std::vector<FieldReader> readers;
  const json::array* array = take_array(name);
  if (array == nullptr) return readers;
  for (std::size_t i = 0; i < array->size(); ++i) {
    const std::string place = std::string(name) + "[" + std::to_string(i) + "]";
    const json::object* object = (*array)[i].if_object();
    if (object == nullptr) reject(place, "must be an object");
    readers.push_back(FieldReader(object, path_ + place + ".", *errors_));
  }
  return readers;
}

void FieldReader::reject(std::string_view name, std::string detail) {
  errors_->push_back({.field = path_ + std::string(name), .detail = std::move(detail)});
}

void FieldReader::expect_no_more() {
  if (object_ == nullptr) return;
  for (const auto& member : *object_) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(known_.begin(), known_.end(), name) == known_.end())
      reject(name, "is not known here");
  }
}

JsonBody::JsonBody(std::string_view text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kDepthMax;
  document_ = std::make_unique<json::value>(json::parse(to_json(text), error, {}, options));
  if (error)
    malformed_ = "The body is not valid JSON: " + error.message() + ".";
  else if (!document_->is_object())
    malformed_ = "The body must be a JSON object.";
}

JsonBody::~JsonBody() = default;

FieldReader JsonBody::fields() {
  return {document_->if_object(), "", errors_};
}

std::optional<Problem> JsonBody::problem() const {
  if (!malformed_.empty())
    return Problem{.status = 400, .code = "malformed_json", .detail = malformed_};
  if (errors_.empty()) return std::nullopt;
  return Problem{.status = 400,
                 .code = "invalid_request",
                 .detail = "'" + errors_.front().field + "' " + errors_.front().detail +
                           (errors_.size() > 1 ? "; see errors for the rest." : "."),
                 .errors = errors_};
}

}  // namespace carrel::ledger::http
