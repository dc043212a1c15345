#include <fmt/format.h>

#include <map>
#include <memory>

#include "governor/cli/options.h"
#include "governor/cli/views/comparison_report.h"
#include "governor/cli/views/warnings.h"
#include "governor/compare/matrix_file.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct MergeVerb {
  std::vector<std::string> files;
  ComparisonOutput output;
};

std::string shard_name(const Shard& shard) {
  return fmt::format("shard {}/{}", shard.index, shard.count);
}

MatrixResults merged(const std::vector<std::string>& files) {
  std::map<int, std::string> file_of;
  MatrixResults all;
  for (const std::string& file : files) {
    MatrixResults one = read_matrix_file(file);
    const auto refuse = [&](const std::string& why, const std::string& remedy) {
      input_error(file, why, remedy);
    };
    if (file_of.empty()) {
      all = one;
      all.seeds_done.clear();
    }
    if (const std::string why = other_comparison(all, one); !why.empty())
      refuse(fmt::format("is of another comparison than {}: {}", files.front(), why),
             "merge shards of one");
    if (one.shard.count != all.shard.count)
      refuse(fmt::format("is {}, and {} is {}", shard_name(one.shard), files.front(),
                         shard_name(all.shard)),
             "merge shards of one division");
    if (const auto [there, fresh] = file_of.emplace(one.shard.index, file); !fresh)
      refuse(fmt::format("is {}, which {} is too", shard_name(one.shard), there->second),
             "name each shard once");
    if (!one.complete())
      refuse(fmt::format("lacks {} of the {} seeds of {}",
                         one.units_of_shard() - one.seeds_done.size(), one.units_of_shard(),
                         shard_name(one.shard)),
             "run that shard again; with '--resume' what is in the file is not run twice");
    for (const auto& [unit, figures] : one.seeds_done) {
      all.seeds_done.emplace(unit, figures);
      if (!all.cells[unit.first].prepared) all.cells[unit.first] = one.cells[unit.first];
    }
  }
  for (int i = 1; i <= all.shard.count; ++i) {
    if (!file_of.contains(i))
      input_error("merge", fmt::format("shard {}/{} is missing", i, all.shard.count),
                  fmt::format("run the comparison with --shard {}/{}, and name its file too", i,
                              all.shard.count));
  }
  all.shard = {};
  return all;
}

int run_merge(const MergeVerb& verb) {
  check_comparison_output(verb.output);
  const MatrixResults results = merged(verb.files);
  check_requirements(verb.output.required, results.policies);
  show_warnings(warnings_of(results));
  return report_comparison(results, verb.output);
}

}  // namespace

Verb add_merge(CLI::App& program) {
  auto verb = std::make_shared<MergeVerb>();
  CLI::App* parser = program.add_subcommand(
      "merge", "Put the shards of a comparison together, as if it had been run at once");
  parser->add_option("files", verb->files, "What 'compare --shard' printed, or its --resume files")
      ->required()
      ->type_name("FILE");
  add_comparison_output(*parser, verb->output);
  parser->footer(
      "Example:\n  flyball merge a.json b.json    # what 'compare ... --shard 1/2' and '--shard 2/2' "
      "printed");
  return {parser, [verb] { return run_merge(*verb); }};
}

}  // namespace flyball::cli
