#include "lab/jvm_twin.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "lab/temporary_folder.h"

namespace carrel::lab {
namespace {

// A stand-in for a JVM, which prints what it is told to, whatever it is asked to run.
class FakeJava {
 public:
  explicit FakeJava(const std::string& script) {
    std::filesystem::create_directories(folder_.path() / "bin");
    const auto java = folder_.path() / "bin" / "java";
    std::ofstream(java) << "#!/bin/sh\n" << script;
    std::filesystem::permissions(java, std::filesystem::perms::owner_all);
    std::ofstream(folder_.path() / "Twin.java") << "// never read\n";
    ::setenv("JAVA_HOME", folder_.path().c_str(), 1);
  }
  FakeJava(const FakeJava&) = delete;
  FakeJava& operator=(const FakeJava&) = delete;
  ~FakeJava() { ::unsetenv("JAVA_HOME"); }

  [[nodiscard]] JvmTwin run() const { return run_jvm_twin(folder_.path(), "Twin", {"7"}); }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

TEST(JvmTwin, ReadsCurvesAndFigures) {
  const FakeJava java(
      R"(printf '{"figure":"held","value":2.5}\n{"series":"one","points":[[0,1],[2,3]]}\n')");
  const JvmTwin twin = java.run();
  ASSERT_TRUE(twin.ran()) << twin.why_not;
  EXPECT_EQ(std::get<double>(twin.cell("held")), 2.5);
  EXPECT_EQ(std::get<std::string>(twin.cell("other")), "-");
  Chart chart;
  twin.add_curves(chart);
  EXPECT_EQ(chart.series.at(0).name, "JVM: one");
  EXPECT_EQ(chart.series.at(0).points.at(1).y, 3);
}

TEST(JvmTwin, PassesItsArgumentsOn) {
  const FakeJava java(R"(for last; do :; done; printf '{"figure":"last","value":%s}\n' "$last")");
  EXPECT_EQ(std::get<double>(java.run().cell("last")), 7);
}

TEST(JvmTwin, ThatFailsOrIsMissingDidNotRunAndSaysWhy) {
  Report report;
  for (const JvmTwin& twin :
       {FakeJava("exit 3").run(), FakeJava("echo nonsense").run(), FakeJava("kill -9 $$").run(),
        run_jvm_twin("", "Twin"), run_jvm_twin("/nonexistent", "Twin")}) {
    EXPECT_FALSE(twin.ran());
    EXPECT_EQ(std::get<std::string>(twin.cell("held")), "not run");
    twin.add_note(report);
  }
  ASSERT_EQ(report.notes.size(), 5u);
  EXPECT_NE(report.notes[0].find("failed"), std::string::npos);
  EXPECT_NE(report.notes[1].find("nonsense"), std::string::npos);
}

TEST(JvmTwin, WithoutAJavaMachineDidNotRun) {
  const FakeJava java("");
  std::filesystem::remove(java.folder() / "bin" / "java");
  EXPECT_NE(java.run().why_not.find("cannot start"), std::string::npos) << java.run().why_not;
}

}  // namespace
}  // namespace carrel::lab
