#include "ledger/http/entry_filter.h"

#include <algorithm>

#include "ledger/store/book_marker.h"

namespace carrel::ledger::http {
namespace {

constexpr std::size_t kRequestIdMax = 64;

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= kRequestIdMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

// Headers that decide where money goes must not be open to two readings.
std::optional<Problem> find_repeated(const Request& request) {
  for (const char* name : {"Host", "X-Carrel-Book", "Idempotency-Key", "Content-Type"})
    if (request.headers.count(name) > 1)
      return Problem{.status = 400,
                     .code = "repeated_header",
                     .detail = std::string("The header ") + name + " may be given once."};
  return std::nullopt;
}

// Without API keys, everyone who reaches the socket is served. A web page that the user visits can
// reach it through a name that resolves to 127.0.0.1 (DNS rebinding); its requests carry that name.
bool names_this_machine(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1) == "[::1]";
  const std::string_view name = host.substr(0, host.find(':'));
  const bool address =
      name.starts_with("127.") && name.find_first_not_of("0123456789.") == std::string_view::npos;
  return address || equal_ignoring_case(name, "localhost");
}

std::optional<Problem> check_host(const Request& request) {
  const auto host = request.headers.find("Host");
  if (host && names_this_machine(*host)) return std::nullopt;
  if (!host)
    return Problem{
        .status = 400, .code = "host_missing", .detail = "HTTP/1.1 asks for a Host header."};
  return Problem{.status = 421,
                 .code = "host_not_served",
                 .detail = "This server answers to localhost, 127.0.0.1 and [::1] only."};
}

// A misspelt parameter would otherwise be ignored, and a page of the wrong size or currency shown.
std::optional<Problem> check_query(const Target& target, const Endpoint& endpoint) {
  for (const auto& [name, value] : target.query)
    if (std::find(endpoint.query.begin(), endpoint.query.end(), name) == endpoint.query.end())
      return Problem{.status = 400,
                     .code = "unknown_parameter",
                     .detail = "The parameter '" + name + "' is not known here."};
  return std::nullopt;
}

std::optional<Problem> check_content_type(const Request& request, const Endpoint& endpoint) {
  if (endpoint.takes == Takes::no_body) return std::nullopt;
  std::string_view type = request.headers.find("Content-Type").value_or("");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  if (equal_ignoring_case(type, "application/json")) return std::nullopt;
  return Problem{.status = 415,
                 .code = "unsupported_media_type",
                 .detail = "The body must be sent as Content-Type: application/json."};
}

// The client's trace continued, or a new one if there is none or it cannot be read: the standard
// has no request refused for its trace.
TraceContext trace_of(const Headers& headers) {
  if (headers.count("traceparent") != 1) return TraceContext::generate();
  const auto parent =
      TraceContext::parse(*headers.find("traceparent"), headers.joined("tracestate"));
  return parent ? parent->child() : TraceContext::generate();
}

}  // namespace

std::string EntryFilter::request_id_of(const Request& request) {
  const auto given = request.headers.find("X-Request-Id");
  return given && is_request_id(*given) ? std::string(*given) : request.id;
}

std::variant<Admission, Problem> EntryFilter::admit(const Request& request, const Target& target,
                                                    const Endpoint& endpoint) {
  if (auto problem = find_repeated(request)) return *problem;
  if (auto problem = check_host(request)) return *problem;
  if (auto problem = check_query(target, endpoint)) return *problem;
  if (auto problem = check_content_type(request, endpoint)) return *problem;

  Admission admission{.request_id = request_id_of(request)};
  if (endpoint.needs == Needs::book) {
    const auto name = request.headers.find("X-Carrel-Book");
    if (!name)
      return Problem{.status = 400,
                     .code = "book_missing",
                     .detail =
                         "Say which book by the header X-Carrel-Book: consumer or merchant; "
                         "there is no default."};
    admission.book = parse_book(*name);
    if (!admission.book)
      return Problem{.status = 400,
                     .code = "book_unknown",
                     .detail = "X-Carrel-Book is consumer or merchant, in lower case."};
  }
  admission.trace = trace_of(request.headers);
  return admission;
}

Response EntryFilter::run(const Admission& admission, const std::function<Response()>& handle) {
  const auto id = request_id_.bind(admission.request_id);
  if (!admission.book) return handle();
  const auto book = marker_.bind(*admission.book);
  return handle();
}

}  // namespace carrel::ledger::http
