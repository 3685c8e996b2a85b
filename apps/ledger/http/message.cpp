#include "ledger/http/message.h"

#include <algorithm>
#include <utility>

#include "carrel/base/assert.h"
#include "ledger/http/problem.h"

namespace carrel::ledger::http {
namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.push_back({.begin = static_cast<std::uint32_t>(text_.size()),
                     .name_size = static_cast<std::uint32_t>(name.size()),
                     .value_size = static_cast<std::uint32_t>(value.size())});
  text_.append(name).append(value);
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
  for (const Field& field : fields_)
    if (equal_ignoring_case(name_of(field), name)) return value_of(field);
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(),
                    [&](const Field& field) { return equal_ignoring_case(name_of(field), name); }));
}

std::string Headers::joined(std::string_view name) const {
  std::string values;
  for (const Field& field : fields_) {
    if (!equal_ignoring_case(name_of(field), name)) continue;
    if (!values.empty()) values += ',';
    values += value_of(field);
  }
  return values;
}

void Headers::append_lines_to(std::string& wire) const {
  for (const Field& field : fields_)
    wire.append(name_of(field)).append(": ").append(value_of(field)).append("\r\n");
}

std::string_view Headers::name_of(const Field& field) const noexcept {
  return std::string_view(text_).substr(field.begin, field.name_size);
}

std::string_view Headers::value_of(const Field& field) const noexcept {
  return std::string_view(text_).substr(field.begin + field.name_size, field.value_size);
}

std::string_view reason_phrase(unsigned status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

Reply::~Reply() {
  if (!deliver_) return;
  deliver_(to_response({.status = 503,
                        .code = "shutting_down",
                        .detail = "The server stopped before it began this request. Nothing "
                                  "happened; send it again.",
                        .retry_after = std::chrono::seconds(1)}));
}

void Reply::operator()(Response response) && {
  CARREL_ASSERT(deliver_, "a request was answered twice");
  std::exchange(deliver_, nullptr)(std::move(response));
}

}  // namespace carrel::ledger::http
