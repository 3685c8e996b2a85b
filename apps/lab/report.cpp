#include "lab/report.h"

#include <algorithm>

namespace carrel::lab {

std::string_view name_of(Relation relation) noexcept {
  switch (relation) {
    case Relation::at_least:
      return ">=";
    case Relation::below:
      return "<";
    case Relation::more_than:
      return ">";
    case Relation::exactly:
      return "=";
  }
  return "?";
}

bool Finding::holds() const noexcept {
  switch (relation) {
    case Relation::at_least:
      return measured >= required;
    case Relation::below:
      return measured < required;
    case Relation::more_than:
      return measured > required;
    case Relation::exactly:
      return measured == required;
  }
  return false;
}

bool Report::supported() const noexcept {
  return !findings.empty() && std::ranges::all_of(findings, &Finding::holds);
}

bool Results::supported() const noexcept {
  return not_measured.empty() && std::ranges::all_of(reports, &Report::supported);
}

}  // namespace carrel::lab
