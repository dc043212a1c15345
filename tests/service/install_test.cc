// `cmake --install` and its inverse, and the package for Debian, by the real cmake, cpack and dpkg-deb.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/service/installed_tree.h"
#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

TEST(Install, PutsThereAllThatAServiceNeeds) {
  const InstalledTree& tree = InstalledTree::get();
  ASSERT_EQ(tree.result().exit_code, 0) << tree.result().said;
  EXPECT_THAT(
      entries_below(tree.path("")),
      IsSupersetOf(
          {"bin/flyball", "bin/flyball-supervisor", "etc/flyball/flyball.yaml",
           "lib/systemd/system/flyball.service", "lib/sysusers.d/flyball.conf",
           "share/bash-completion/completions/flyball", "share/zsh/site-functions/_flyball",
           "share/fish/vendor_completions.d/flyball.fish", "share/man/man1/flyball.1",
           "share/man/man1/flyball-run.1", "share/man/man1/flyball-network-show.1",
           "share/flyball/configs/platforms/odroid_xu3.yaml", "share/doc/flyball/README.md"}));
}

TEST(Install, WhatIsInstalledRunsAndFindsItsFiles) {
  FLYBALL_RUNS_NATIVELY();
  const InstalledTree& tree = InstalledTree::get();
  const ShellResult listed =
      shell("cd / && " + tree.path("bin/flyball") + " list platforms --json");
  EXPECT_EQ(listed.exit_code, 0) << listed.said;
  EXPECT_THAT(listed.said, HasSubstr("odroid_xu3"));
}

TEST(Install, UninstallTakesAwayExactlyThat) {
  const TempDir dir;
  // A build folder of which only the records are used, so that the real one's stay as they are.
  const std::string build = dir / "build", prefix = dir / "prefix";
  ASSERT_EQ(shell("mkdir -p " + build + " " + prefix + "/share/man && echo x > " + prefix +
                  "/share/man/other")
                .exit_code,
            0);
  const auto before = entries_below(prefix);
  const std::string install_script = read_text(build_dir() + "/cmake_install.cmake");
  std::string copy = install_script;
  const std::string record = "FLYBALL_BUILD_DIR \"" + build_dir() + "\"";
  ASSERT_THAT(copy, HasSubstr(record));
  copy.replace(copy.find(record), record.size(), "FLYBALL_BUILD_DIR \"" + build + "\"");
  std::ofstream(build + "/install.cmake") << copy;
  const std::string install =
      "cmake -DCMAKE_INSTALL_LOCAL_ONLY=1 -DCMAKE_INSTALL_PREFIX=" + prefix + " -P " + build +
      "/install.cmake";
  const std::string uninstall = "cmake -DFLYBALL_BUILD_DIR=" + build + " -P " +
                                FLYBALL_SOURCE_DIR "/governor/service/install/uninstall.cmake";
  const ShellResult installed = shell("cd " + build + " && " + install);
  ASSERT_EQ(installed.exit_code, 0) << installed.said;
  EXPECT_TRUE(std::filesystem::exists(prefix + "/bin/flyball"));
  // Once more over itself, and with somebody else's file among ours.
  ASSERT_EQ(shell("cd " + build + " && " + install).exit_code, 0);
  std::ofstream(prefix + "/share/flyball/mine") << "x";
  const ShellResult removed = shell(uninstall);
  EXPECT_EQ(removed.exit_code, 0) << removed.said;
  auto expected = before;
  expected.insert({"share/flyball/", "share/flyball/mine"});
  EXPECT_EQ(entries_below(prefix), expected);
  EXPECT_NE(shell(uninstall).exit_code, 0);  // nothing is installed any more

  // Settings that were changed outlive both another installation and the uninstallation.
  std::filesystem::remove(prefix + "/share/flyball/mine");
  std::filesystem::remove(prefix + "/share/flyball");
  ASSERT_EQ(shell("cd " + build + " && " + install).exit_code, 0);
  const std::string config = prefix + "/etc/flyball/flyball.yaml";
  std::ofstream(config) << "schema: 1\npolicy: powersave\n";
  const ShellResult again = shell("cd " + build + " && " + install);
  EXPECT_EQ(again.exit_code, 0) << again.said;
  EXPECT_THAT(again.said, HasSubstr("Kept: " + config));
  EXPECT_EQ(shell(uninstall).exit_code, 0);
  EXPECT_THAT(read_text(config), HasSubstr("powersave"));
  expected = before;
  expected.insert({"etc/", "etc/flyball/", "etc/flyball/flyball.yaml"});
  EXPECT_EQ(entries_below(prefix), expected);

  // Those of an earlier version that nobody changed make room for this one's, and go with it.
  std::filesystem::remove_all(prefix + "/etc");
  ASSERT_EQ(shell("cd " + build + " && " + install).exit_code, 0);
  std::ofstream(config) << "schema: 1\n";
  ASSERT_EQ(shell("hash=$(sha256sum <" + config +
                  " | cut -d' ' -f1); sed -i \"s/CONFIG_SHA256 .*/CONFIG_SHA256 "
                  "$hash)/\" " +
                  build + "/installed.cmake")
                .exit_code,
            0);
  const ShellResult updated = shell("cd " + build + " && " + install);
  EXPECT_THAT(updated.said, Not(HasSubstr("Kept: ")));
  EXPECT_NE(read_text(config), "schema: 1\n");
  EXPECT_EQ(shell(uninstall).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(config));
}

/// What cpack makes of this build, once; empty where it cannot.
const std::string& package() {
  static const TempDir dir;
  static const std::string deb = [] {
    const ShellResult packed = shell("cd " + build_dir() + " && cpack -B " + dir.path().string());
    EXPECT_EQ(packed.exit_code, 0) << packed.said;
    const ShellResult found = shell("ls " + dir.path().string() + "/*.deb");
    return packed.exit_code == 0 ? found.said.substr(0, found.said.find('\n')) : "";
  }();
  return deb;
}

#define FLYBALL_NEEDS_DPKG()                                      \
  if (!has_program("dpkg-deb") || !has_program("dpkg-shlibdeps")) \
  GTEST_SKIP() << "no dpkg-deb, or no dpkg-shlibdeps (dpkg-dev)"

TEST(Install, ThePackageForDebianHoldsItAndKnowsWhatItNeeds) {
  FLYBALL_NEEDS_DPKG();
  const TempDir dir;
  const std::string& deb = package();
  const bool arm = *FLYBALL_EMULATOR != '\0';
  EXPECT_THAT(deb, ::testing::EndsWith(arm ? "_arm64.deb" : "_amd64.deb"));
  const std::string depends = shell("dpkg-deb -f " + deb + " Depends").said;
  for (const std::string library : {"libc6", "libstdc++6", "libfmt9", "libyaml-cpp0.7"})
    EXPECT_THAT(depends, HasSubstr(library));
  const std::string root = dir / "root", control = dir / "control";
  ASSERT_EQ(
      shell("dpkg-deb -x " + deb + " " + root + " && dpkg-deb -e " + deb + " " + control).exit_code,
      0);
  EXPECT_EQ(read_text(control + "/conffiles"), "/etc/flyball/flyball.yaml\n");
  EXPECT_TRUE(std::filesystem::exists(root + "/etc/flyball/flyball.yaml"));
  EXPECT_THAT(read_text(root + "/usr/lib/systemd/system/flyball.service"),
              HasSubstr("ExecStart=/usr/bin/flyball run --platform linux --config "
                        "/etc/flyball/flyball.yaml\n"));
  for (const std::string script : {"postinst", "prerm", "postrm"}) {
    const ShellResult checked = shell("sh -n " + control + "/" + script);
    EXPECT_EQ(checked.exit_code, 0) << checked.said;
  }
  EXPECT_THAT(read_text(control + "/prerm"), HasSubstr("/usr/bin/flyball\" restore"));
  if (!arm) {
    const ShellResult version = shell(root + "/usr/bin/flyball --version");
    EXPECT_EQ(version.exit_code, 0) << version.said;
  }
}

/// What a governor changes of the clocks: a plain file keeps the rest of a longer text, the kernel does not.
std::vector<std::string> clock_settings(const LinuxTree& tree) {
  std::vector<std::string> lines;
  for (const int policy : {0, 4})
    for (const char* name : {"scaling_governor", "scaling_min_freq", "scaling_max_freq"})
      lines.push_back(tree.line(LinuxTree::policy(policy) + name));
  return lines;
}

// By dpkg itself, into the root of a machine that is made of files, with its maintainer scripts.
TEST(Install, ThePackageIsInstalledRunsGivesBackAndGoes) {
  FLYBALL_RUNS_NATIVELY();
  FLYBALL_NEEDS_DPKG();
  if (geteuid() != 0) GTEST_SKIP() << "only root unpacks what belongs to root";
  std::vector<std::string> settings;
  std::set<std::string> before;
  Governed governed(
      {"--policy", "powersave", "--actuator", "setspeed"}, [&](const LinuxTree& tree) {
        for (const char* folder : {"info", "updates", "triggers"})
          std::filesystem::create_directories(tree.path(std::string("/var/lib/dpkg/") + folder));
        tree.write("/var/lib/dpkg/status", "");
        settings = clock_settings(tree);
        before = entries_below(tree.root());
      });
  const LinuxTree& machine = governed.tree();
  const auto dpkg = [&](const std::string& words) {
    const ShellResult told =
        shell("dpkg --root=" + machine.root() +
              " --log=/dev/null --force-script-chrootless --force-depends " + words);
    EXPECT_EQ(told.exit_code, 0) << told.said;
    return told.said;
  };
  dpkg("-i " + package());
  const std::string program = machine.path("/usr/bin/flyball");
  const ShellResult listed = shell("cd / && " + program + " list platforms --json");
  EXPECT_EQ(listed.exit_code, 0) << listed.said;
  EXPECT_THAT(listed.said, HasSubstr("odroid_xu3"));
  EXPECT_EQ(shell(program + " --version").exit_code, 0);

  // A governor and its supervisor are killed at once, and leave the machine as they made it.
  governed.first_status();
  const std::string governor = std::to_string(governed.status().at("pid").get<int>());
  const ShellResult killed =
      shell("kill -STOP " + governor + "; children=$(cat /proc/" + governor +
            "/task/*/children); test -n \"$children\" && kill -KILL $children " + governor);
  ASSERT_EQ(killed.exit_code, 0) << killed.said;
  governed.governor().wait();
  EXPECT_NE(clock_settings(machine), settings);
  const std::string removed = dpkg("-r flyball");
  EXPECT_THAT(removed, Not(HasSubstr("not all settings")));
  EXPECT_EQ(clock_settings(machine), settings);
  EXPECT_FALSE(std::filesystem::exists(program));
  EXPECT_TRUE(std::filesystem::exists(machine.path("/etc/flyball/flyball.yaml")));  // till a purge
  dpkg("-P flyball");
  // Of a user and a group that there were, accounts stay, as on any Debian.
  for (const std::string& entry : entries_below(machine.root())) {
    if (entry.starts_with("var/lib/dpkg/") || entry.starts_with("etc/")) {
      EXPECT_THAT(entry, Not(HasSubstr("etc/flyball")));
      EXPECT_THAT(entry, Not(HasSubstr("info/flyball.")));
    } else if (!before.contains(entry) && entry != "run/") {
      ADD_FAILURE() << entry << " is left";
    }
  }
}

/// Where Debian's Python looks for modules.
std::vector<std::string> python_places() {
  const ShellResult told =
      shell("/usr/bin/python3 -c 'import site; print(\"\\n\".join(site.getsitepackages()))'");
  std::vector<std::string> places;
  std::istringstream lines(told.exit_code == 0 ? told.said : "");
  for (std::string line; std::getline(lines, line);) places.push_back(line);
  return places;
}

// Below /usr/local, which is where 'cmake --install' goes by itself, and below /usr.
TEST(Install, PythonFindsTheModulesAndTheyTheirLibraries) {
  FLYBALL_RUNS_NATIVELY();
  if (std::string(FLYBALL_SANITIZERS) != "") GTEST_SKIP() << "python3 has no sanitizer's runtime";
  if (!std::filesystem::exists("/etc/debian_version") || python_places().empty())
    GTEST_SKIP() << "this is no Debian with its python3";
  for (const std::string prefix : {"/usr/local", "/usr"}) {
    const TempDir stage;
    const std::string root = stage.path().string();
    const ShellResult installed =
        shell("DESTDIR=" + root + " cmake --install " + build_dir() + " --prefix " + prefix);
    ASSERT_EQ(installed.exit_code, 0) << installed.said;
    std::string found;
    for (const std::string& place : python_places())
      if (std::filesystem::exists(root + place + "/flyball.py")) found = root + place;
    ASSERT_NE(found, "") << prefix;
    const std::string program = stage / "uses.py";
    std::ofstream(program)
        << "import flyball, flyball_gym\n"
           "with flyball.open('x', knobs={'model': ['small', 'large']}) as app:\n"
           "    with app.job() as setting:\n"
           "        print(setting['model'])\n"
           "print(flyball._library_path())\n"
           "env = flyball_gym.FlyballEnv('odroid_xu3', 'single_periodic')\n"
           "env.reset(seed=1)\n";
    const ShellResult used = shell(
        "cd / && env -u LD_LIBRARY_PATH -u FLYBALL_LIBRARY -u FLYBALL_GYM_LIBRARY "
        "FLYBALL_QUIET=1 FLYBALL_SOCKET=/none PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=" +
        found + " /usr/bin/python3 " + program);
    EXPECT_EQ(used.exit_code, 0) << used.said;
    EXPECT_THAT(used.said, ::testing::StartsWith("large\n" + root + prefix + "/lib/"));
  }
}

// What an application's own build does with the installed library.
TEST(Install, AProgramIsBuiltAgainstTheLibrary) {
  FLYBALL_RUNS_NATIVELY();
  const InstalledTree& tree = InstalledTree::get();
  if (!std::filesystem::exists(tree.path("include/flyball.h")))
    GTEST_SKIP() << "this build has no client library";
  const TempDir dir;
  std::ofstream(dir / "main.c")
      << "#include <flyball.h>\n#include <stdio.h>\nint main(void) { puts(flyball_why()); }\n";
  std::ofstream(dir / "CMakeLists.txt")
      << "cmake_minimum_required(VERSION 3.25)\nproject(app C)\nfind_package(flyball REQUIRED)\n"
         "add_executable(shared main.c)\ntarget_link_libraries(shared flyball::client)\n"
         "add_executable(static main.c)\ntarget_link_libraries(static flyball::client_static)\n";
  const ShellResult by_cmake = shell("cd " + dir.path().string() +
                                     " && cmake -B build -DCMAKE_PREFIX_PATH=" + tree.path("") +
                                     " && cmake --build build && build/shared && build/static");
  EXPECT_EQ(by_cmake.exit_code, 0) << by_cmake.said;
  if (!has_program("pkg-config")) GTEST_SKIP() << "no pkg-config";
  const ShellResult by_pkg_config = shell(
      "cd " + dir.path().string() + " && export PKG_CONFIG_PATH=" + tree.path("lib/pkgconfig") +
      " && cc main.c -o main $(pkg-config --cflags --libs flyball) && LD_LIBRARY_PATH=" +
      tree.path("lib") + " ./main");
  EXPECT_EQ(by_pkg_config.exit_code, 0) << by_pkg_config.said;
}

}  // namespace
}  // namespace flyball::testing
