// Reads the TOML file of `carrel serve --config`. Every key is checked, so that a misspelt one is
// an error and not silently the default.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <set>
#include <string_view>
#include <type_traits>

#include "carrel/base/error.h"
#include "carrel/serve_settings.h"

namespace carrel::program {
namespace {

class Section {
 public:
  Section(const toml::table* table, std::string name, const std::filesystem::path& file)
      : table_(table), name_(std::move(name)), file_(file) {}

  // Leaves `target` as it is where the file has no such key.
  template <class T>
  void read(std::string_view key, T& target, std::int64_t min = 0,
            std::int64_t max = std::numeric_limits<std::int64_t>::max()) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    if constexpr (std::is_integral_v<T>) {
      target = static_cast<T>(number(*node, key, min, max));
    } else if constexpr (std::is_constructible_v<T, std::string>) {
      const auto text = node->value_exact<std::string>();
      if (!text) fail(*node, key, "must be a string");
      target = *text;
    } else {  // a duration, in whole seconds
      target = std::chrono::seconds(number(*node, key, min, max));
    }
  }

  [[nodiscard]] Section section(std::string_view key) {
    const toml::node* node = take(key);
    if (node != nullptr && !node->is_table()) fail(*node, key, "must be a section");
    return {node == nullptr ? nullptr : node->as_table(), path_of(key), file_};
  }

  void expect_no_more() const {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_)
      if (!known_.contains(key.str())) fail(node, key.str(), "is not a setting");
  }

 private:
  const toml::node* take(std::string_view key) {
    known_.insert(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }
  std::int64_t number(const toml::node& node, std::string_view key, std::int64_t min,
                      std::int64_t max) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < min || *value > max)
      fail(node, key, fmt::format("must be a whole number from {} to {}", min, max));
    return *value;
  }
  [[noreturn]] void fail(const toml::node& node, std::string_view key,
                         std::string_view what) const {
    throw Error("settings.invalid", fmt::format("{}:{}: '{}' {}", file_.string(),
                                                node.source().begin.line, path_of(key), what));
  }
  [[nodiscard]] std::string path_of(std::string_view key) const {
    return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
  }

  const toml::table* table_;
  std::string name_;
  const std::filesystem::path& file_;
  std::set<std::string_view> known_;  // keys asked for; all of them live as long as the program
};

template <class Rules>
void read_rules(Section section, Rules& rules) {
  rules.for_each([&](auto& rule) {
    Section parameters = section.section(rule.kName);
    rule.parameters([&](std::string_view name, auto& value) { parameters.read(name, value); });
    parameters.expect_no_more();
  });
  section.expect_no_more();
}

void read_limits(Section section, ledger::http::ServerLimits& limits) {
  section.read("connections", limits.connections_max, 1, 100'000);
  section.read("header_bytes", limits.header_bytes_max, 1024, 1 << 20);
  section.read("body_bytes", limits.body_bytes_max, 1024, 64 << 20);
  section.read("header_seconds", limits.header_wait_max, 1, 3600);
  section.read("body_seconds", limits.body_wait_max, 1, 3600);
  section.read("idle_seconds", limits.idle_wait_max, 1, 3600);
  section.read("write_seconds", limits.write_wait_max, 1, 3600);
  section.expect_no_more();
}

toml::table parse(const std::filesystem::path& file) {
  if (!std::filesystem::is_regular_file(file))
    throw Error("settings.unreadable", "there is no settings file '" + file.string() + "'");
  try {
    return toml::parse_file(file.string());
  } catch (const toml::parse_error& error) {
    throw Error("settings.invalid", fmt::format("{}:{}: {}", file.string(),
                                                error.source().begin.line, error.description()));
  }
}

}  // namespace

void read_settings_file(const std::filesystem::path& file, ServeSettings& settings) {
  const toml::table table = parse(file);
  Section root(&table, "", file);
  root.read("data", settings.data);
  root.read("bind", settings.bind);
  root.read("port", settings.port, 0, 65'535);
  root.read("workers", settings.workers, 1, 1'000);
  root.read("queue", settings.queue_max, 1, 1'000'000);
  root.read("io_threads", settings.io_threads, 1, 64);
  root.read("readers", settings.readers, 1, 64);
  root.read("log", settings.log_level);
  root.read("drain_seconds", settings.drain_wait_max, 0, 3600);
  root.read("request_seconds", settings.request_wait_max, 1, 3600);
  read_limits(root.section("limits"), settings.limits);
  Section rules = root.section("rules");
  read_rules(rules.section("consumer"), settings.rules.consumer);
  read_rules(rules.section("merchant"), settings.rules.merchant);
  rules.expect_no_more();
  root.expect_no_more();
}

}  // namespace carrel::program
