#include "lab/jvm_twin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <utility>

#include "carrel/base/error.h"

extern "C" char** environ;

namespace carrel::lab {
namespace {

namespace json = boost::json;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{120};

std::string java() {
  const char* const home = std::getenv("JAVA_HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/bin/java" : "java";
}

class Child {
 public:
  // Throws Error "lab.no_child" with the system's reason.
  explicit Child(std::vector<std::string> words) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(errno);
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int failure =
        ::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (failure == 0) return;
    ::close(output_);
    fail(failure);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::close(output_);
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      (void)wait();
    }
  }

  // All that it prints until it ends. False: it was still at it at the deadline.
  bool read_until(SteadyClock::time_point deadline, std::string& text) const {
    std::array<char, 4096> buffer{};
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
      pollfd watched{.fd = output_, .events = POLLIN, .revents = 0};
      const int ready = ::poll(&watched, 1, static_cast<int>(std::max<long>(left.count(), 0)));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return false;
      const ssize_t got = ::read(output_, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return true;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  // As waitpid tells it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  [[noreturn]] static void fail(int failure) {
    throw Error("lab.no_child", std::generic_category().message(failure));
  }

  int output_ = -1;
  pid_t pid_ = -1;
};

void take_line(const json::object& line, JvmTwin& twin) {
  if (const json::value* figure = line.if_contains("figure")) {
    twin.figures[std::string(figure->as_string())] = line.at("value").to_number<double>();
    return;
  }
  Series series{std::string(line.at("series").as_string()), {}};
  for (const json::value& point : line.at("points").as_array())
    series.points.push_back({point.at(0).to_number<double>(), point.at(1).to_number<double>()});
  twin.series.push_back(std::move(series));
}

JvmTwin parse(const std::string& output) {
  JvmTwin twin;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    try {
      take_line(json::parse(line).as_object(), twin);
    } catch (const std::exception& malformed) {  // Boost.JSON's own, of several types
      return {.why_not =
                  fmt::format("its line \"{}\" is not understood: {}", line, malformed.what())};
    }
  }
  return twin;
}

JvmTwin run(std::vector<std::string> words) {
  const std::string program = words.front();
  try {
    Child child(std::move(words));
    std::string output;
    if (!child.read_until(SteadyClock::now() + kPatience, output))
      return {.why_not = fmt::format("it had not ended after {} s", kPatience.count())};
    const int status = child.wait();
    // 127 is what a child that could not become the program ends with.
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      return {.why_not = fmt::format("{} failed", program)};
    return parse(output);
  } catch (const Error& error) {
    return {.why_not = fmt::format("cannot start {}: {}", program, error.what())};
  }
}

}  // namespace

JvmTwin run_jvm_twin(const std::filesystem::path& folder, const std::string& name,
                     const std::vector<std::string>& arguments) {
  if (folder.empty()) return {.why_not = "not asked for"};
  const std::filesystem::path file = folder / (name + ".java");
  if (!std::filesystem::is_regular_file(file))
    return {.why_not = fmt::format("there is no {}", file.string())};
  // Small, quick to start, and with the collector whose full collections return when all is done.
  std::vector<std::string> words{java(), "-Xmx256m", "-XX:+UseSerialGC", file.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run(std::move(words));
}

Cell JvmTwin::cell(std::string_view figure) const {
  if (!ran()) return "not run";
  const auto found = figures.find(figure);
  return found == figures.end() ? Cell("-") : Cell(found->second);
}

void JvmTwin::add_curves(Chart& chart) const {
  for (const Series& curve : series) chart.series.push_back({"JVM: " + curve.name, curve.points});
}

void JvmTwin::add_note(Report& report) const {
  if (!ran()) report.notes.push_back("the Java twin was not run: " + why_not);
}

}  // namespace carrel::lab
