#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace flyball::cli {

/// One verb of the program: its parser, and what runs once the command line has been read. `run`
/// returns the exit code and throws Error; it writes to standard output only when it has succeeded.
struct Verb {
  CLI::App* parser;
  std::function<int()> run;
};

Verb add_run(CLI::App& program);
Verb add_train(CLI::App& program);
Verb add_compare(CLI::App& program);
Verb add_merge(CLI::App& program);
Verb add_evaluate(CLI::App& program);
Verb add_profile(CLI::App& program);
/// One per verb within it: show, verify, bench, train.
std::vector<Verb> add_network(CLI::App& program);
Verb add_characterise(CLI::App& program);
Verb add_fit(CLI::App& program);
/// One per format: ftrace, prime, freqbench, csv.
std::vector<Verb> add_import(CLI::App& program);
Verb add_list(CLI::App& program);
Verb add_export(CLI::App& program);
Verb add_replay(CLI::App& program);
/// One per verb within it: show, export.
std::vector<Verb> add_record(CLI::App& program);
Verb add_report(CLI::App& program);
Verb add_doctor(CLI::App& program);
Verb add_restore(CLI::App& program);
Verb add_status(CLI::App& program);
Verb add_explain(CLI::App& program);
Verb add_set(CLI::App& program);
Verb add_shadow(CLI::App& program);
Verb add_audit(CLI::App& program);
Verb add_top(CLI::App& program);
Verb add_metrics(CLI::App& program);
Verb add_documentation(CLI::App& program);

// Options whose values are checked here, so that every complaint has the same form. All throw Error
// (kInput).

void integer_option(CLI::App& parser, const std::string& flag, int& value, int min, int max,
                    const std::string& help);
void seed_option(CLI::App& parser, std::uint64_t& value, const std::string& help);
/// A number that need not be whole; `kind` is what a complaint calls it.
void number_option(CLI::App& parser, const std::string& flag, double& value, double min, double max,
                   const std::string& unit, const std::string& help, const char* kind = "a number");
void seconds_option(CLI::App& parser, const std::string& flag, double& value, double min,
                    double max, const std::string& help);
void minutes_option(CLI::App& parser, const std::string& flag, double& value, double min,
                    double max, const std::string& help);
/// Names separated by commas; none empty, none twice.
void names_option(CLI::App& parser, const std::string& flag, std::vector<std::string>& value,
                  const std::string& help);
void json_option(CLI::App& parser, bool& value);
/// What agents believe of the platform: see load_belief.
void belief_option(CLI::App& parser, std::string& value);
/// Which times an emulated platform has: see load_governed_platform.
void profile_option(CLI::App& parser, std::string& value);

/// "a, b, c".
std::string joined(const std::vector<std::string>& names);
std::vector<std::string> split_names(const std::string& flag, const std::string& text);

/// Throws unless `policy` (its part before ':') is a name of the agent catalogue; the error lists
/// what is known.
void check_policy_name(const std::string& policy);
bool policy_learns(const std::string& policy);
/// Throws unless it is one that can decide while things happen; `what` names the option.
void check_decides_live(const std::string& what, const std::string& policy,
                        const std::string& remedy);

}  // namespace flyball::cli
