#include "ledger/posting/body_hash.h"

#include <openssl/evp.h>

#include <string_view>

#include "carrel/base/error.h"

namespace carrel::ledger {
namespace {

// The length before the text keeps two neighbouring fields apart whatever they hold.
void append(std::string& form, std::string_view field) {
  form += std::to_string(field.size());
  form += ':';
  form += field;
  form += '\n';
}

}  // namespace

std::string canonical_form(const VoucherRequest& request) {
  std::string form;
  append(form, "carrel voucher 1");
  append(form, to_string(request.kind));
  append(form, request.event_time ? std::to_string(request.event_time->time_since_epoch().count())
                                  : std::string());
  append(form, request.memo);
  append(form, request.original);
  for (const Leg& leg : request.legs) {
    append(form, leg.account.to_string());
    append(form, to_string(leg.side));
    append(form, std::to_string(leg.amount.minor()));
    append(form, leg.amount.currency().code());
  }
  return form;
}

BodyHash hash_body(const VoucherRequest& request) {
  const std::string form = canonical_form(request);
  BodyHash hash{};
  unsigned int bytes = 0;
  if (EVP_Digest(form.data(), form.size(), reinterpret_cast<unsigned char*>(hash.data()), &bytes,
                 EVP_sha256(), nullptr) != 1 ||
      bytes != hash.size())
    throw Error("hash.failed", "SHA-256 is not available");
  return hash;
}

}  // namespace carrel::ledger
